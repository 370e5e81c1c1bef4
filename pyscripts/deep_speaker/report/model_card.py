"""The card of a model folder: README.md, with all that the program knows of the model."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deep_speaker.config import Experiment
from deep_speaker.config.folders import CONFIG, RESULTS, data_dir_of
from deep_speaker.config.phases import PHASES, Phase, is_floor
from deep_speaker.config.stages import Stage
from deep_speaker.metrics.registry import main_metric
from deep_speaker.networks.checkpoints import Checkpoint, trained_with
from deep_speaker.published.model_folder import CARD, WEIGHTS
from deep_speaker.report.provenance import num_parameters, set_size
from deep_speaker.results.cells import format_figure, format_interval
from deep_speaker.results.comparison import as_plain_text, format_markdown
from deep_speaker.results.lists import list_kind, list_names
from deep_speaker.results.rows import ResultRow, interval_of, read_results
from deep_speaker.scoring.decision_files import read_decisions
from deep_speaker.scoring.decision_table import EVEN, DecisionTable
from deep_speaker.system.files import RECIPE, read_utf8, replacing_file
from deep_speaker.system.sums import recipe_commit

TEMPLATE = "model_card.md.j2"
# What a person writes, and what stands there until then.
TO_WRITE = "To be written"
WRITTEN = {
    "Data and licences": f"{TO_WRITE}: which speech it was trained on, of which licence.",
    "Limits of use": f"{TO_WRITE}: languages, channels and ages it was tested on, and was not.",
    "What it must not be used for": f"{TO_WRITE}.",
}
BACKEND = "cosine"
FALSE_ALARMS = (0.01, 0.001)  # wanted rates, of which the card gives the thresholds


def write_card(
    folder: Path,
    place: Path,
    checkpoint: Checkpoint,
    experiment_dir: Path,
    precision: str,
    command: str,
) -> None:
    """Write the card into a model folder that has its weights; what a person wrote there stays.

    Args:
        place: where the folder will lie.
        experiment_dir: exp/<name>/<experiment>, by whose results the model is judged; its training
            set is data/<name>/train.
        command: that writes the folder.
    """
    experiment = Experiment.model_validate(trained_with(checkpoint))
    results = experiment_dir / RESULTS
    context = {
        "name": place.resolve().name,
        "folder": place,
        "network": experiment.network.name,
        "num_parameters": num_parameters(experiment),
        "embedding_dim": experiment.network.embedding_dim,
        "weights_file": WEIGHTS,
        "num_bytes": (folder / WEIGHTS).stat().st_size,
        "precision": precision,
        "features": experiment.features,
        "phase": checkpoint.phase,
        "epochs": checkpoint.epochs,
        "experiment": read_origin(experiment_dir),
        "num_speakers": len(checkpoint.speakers),
        "train_set": set_size(data_dir_of(experiment_dir) / "train"),
        "commit": recipe_commit(RECIPE),
        "commands": [*read_commands(experiment_dir, PHASES[checkpoint.phase]), command],
        "corpus": experiment_dir.resolve().parent.name,
        "figures": format_figures(read_results(results), checkpoint.phase)
        if results.is_file()
        else None,
        "decisions": format_decisions(read_decisions(folder)[2]),
        "written": read_written(folder / CARD),
    }
    with replacing_file(folder / CARD) as file:
        file.write(render_card(context))


def render_card(context: dict[str, Any]) -> str:
    """Fill the template."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["plain"] = as_plain_text
    return environment.get_template(TEMPLATE).render(context).rstrip() + "\n"


def format_decisions(table: DecisionTable | None) -> dict[str, Any] | None:
    """Return what the card says of decisions: who they were measured on, and a Markdown table."""
    if table is None:
        return None
    asked = {"same or not is as likely": table.threshold_for_prior(EVEN)}
    for rate in FALSE_ALARMS:
        if rate * table.num_nontarget >= 1:
            asked[f"{100 * rate:g} % false alarms"] = table.threshold_for_false_alarms(rate)
    lines = []
    for name, threshold in asked.items():
        false_alarms, misses = table.error_rates(threshold)
        rates = {"false alarms %": false_alarms, "misses %": misses}
        shown = {key: f"{100 * rate:.2f}" for key, rate in rates.items()}
        lines.append({"wanted": name, "threshold": f"{threshold:.3f}", **shown})
    return {"table": table, "lines": format_markdown(lines, num_names=1)}


def read_written(path: Path) -> dict[str, str]:
    """Return the text below each heading that a person writes; what is to be written where none is.

    A section ends where another heading of these begins, so it may have headings of its own.
    """
    text = read_utf8(path) if path.is_file() else ""
    headings = "|".join(map(re.escape, WRITTEN))
    _, *parts = re.split(rf"^## ({headings}) *\n", text, flags=re.MULTILINE)
    found = dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))
    return {heading: found.get(heading) or default for heading, default in WRITTEN.items()}


def read_origin(experiment_dir: Path) -> str:
    """Return which files and settings the experiment was made of, as its config tells."""
    path = experiment_dir / CONFIG
    first = read_utf8(path).partition("\n")[0] if path.is_file() else ""
    return first.removeprefix("# ") if first.startswith("# ") else experiment_dir.name


def read_commands(experiment_dir: Path, phase: Phase) -> list[str]:
    """Return the commands of training up to a phase, as the logs of its stages have them."""
    controls = {name for name, each in PHASES.items() if each.is_control} - {phase.name}
    stages = [each for each in (Stage.PRETRAINING, Stage.FINETUNING) if each <= phase.stage]
    logs = [log for stage in stages for log in sorted(experiment_dir.glob(f"log/{stage:d}.*.log"))]
    text = "\n".join(map(read_utf8, logs))
    commands = re.findall(r"^# (\w+\.py .*)", text, flags=re.MULTILINE)
    return [each for each in commands if controls.isdisjoint(each.split())]


def format_figures(rows: Sequence[ResultRow], phase: str) -> str:
    """Return the error rates of a phase and of the floors as a Markdown table, a line per list.

    Raises:
        ValueError: there are none of this phase by cosine.
    """
    metric = main_metric("verification")
    chosen = [
        row for row in rows
        if (row["subset"], row["backend"]) == ("all", BACKEND)
        and list_kind(row["trials"]) == "verification"
    ]  # fmt: skip
    floors = list(dict.fromkeys(row["phase"] for row in chosen if is_floor(row["phase"])))
    lines = []
    for name in list_names(chosen):
        of_list = {row["phase"]: row for row in chosen if row["trials"] == name}
        if phase not in of_list:
            raise ValueError(
                f"{RESULTS}: no figures of {phase} by {BACKEND} on {name}, but of "
                f"{', '.join(of_list)}: {Stage.RESULTS.again}"
            )
        row = of_list[phase]
        counts = f"{row['num_target']:,} + {row['num_nontarget']:,}"
        line = {"trials": name, "target + nontarget": counts}
        for column in (phase, *floors):
            shown = format_figure(of_list.get(column, {}), metric)
            interval = interval_of(of_list.get(column, {}), *metric.keys)
            line[column] = f"{shown} {format_interval(interval, metric.digits)}".strip()
        lines.append(line)
    return format_markdown(lines, num_names=1)
