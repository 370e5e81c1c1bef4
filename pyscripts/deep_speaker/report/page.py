"""The report of an experiment: one HTML page that needs nothing else (stage 6)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deep_speaker.config.folders import REPORT, RESULTS, SCORES, xvector_dir
from deep_speaker.config.phases import final_phase
from deep_speaker.config.stages import Stage
from deep_speaker.report.det_curves import MARKED_P_TARGET
from deep_speaker.report.embedding_map import (
    MAX_SPEAKERS,
    MAX_UTTERANCES,
    embedding_figure,
    embedding_map,
)
from deep_speaker.report.headline import find_headline, headline_lists
from deep_speaker.report.list_section import list_section
from deep_speaker.report.provenance import describe_origin
from deep_speaker.report.styles import phase_styles
from deep_speaker.report.training_curves import read_training_curves, training_figure
from deep_speaker.results.lists import list_names
from deep_speaker.results.rows import CONVENTIONS, ResultRow, read_results
from deep_speaker.results.stale import describe_stale
from deep_speaker.scoring.left_out import notes_of_left_out
from deep_speaker.system.files import replacing_file
from deep_speaker.system.origins import note_origins
from deep_speaker.trials.lists import find_trial_lists

TEMPLATE = "report.html.j2"


def write_report(data_dir: Path, experiment_dir: Path, phases: Sequence[str]) -> Path:
    """Write report.html into an experiment's folder.

    Args:
        data_dir: of the test set, with its trial lists.
        phases: those to report, in order; results.json has rows of each.

    Returns:
        Its path.
    """
    phases = list(dict.fromkeys(phases))
    rows = choose_rows(experiment_dir / RESULTS, phases)
    origin = describe_origin(data_dir, experiment_dir)
    lists = find_trial_lists(data_dir)
    final = final_phase(phases)
    curves = read_training_curves(experiment_dir, phases)
    embeddings = embedding_map(xvector_dir(experiment_dir, final, data_dir), data_dir)
    context = {
        "experiment": experiment_dir.resolve().name,
        "corpus": experiment_dir.resolve().parent.name,
        "styles": phase_styles(phases),
        "final": final,
        "headlines": [find_headline(rows, name, final) for name in headline_lists(rows)],
        "lists": [
            list_section(name, lists.get(name), experiment_dir / SCORES, phases, rows)
            for name in list_names(rows)
        ],
        "same_sex": any(row["subset"] == "same_sex" for row in rows),
        "curves": curves,
        "training": training_figure("training", curves, phase_styles(phases)) if curves else None,
        "embeddings": embeddings,
        "map": embedding_figure("map", embeddings) if embeddings else None,
        "map_limits": (MAX_SPEAKERS, MAX_UTTERANCES),
        "marked_cost": MARKED_P_TARGET,
        "notes": [
            *notes_of_left_out(data_dir, experiment_dir / SCORES, phases),
            *describe_stale(rows),
        ],
        "conventions": CONVENTIONS,
        **origin,
    }
    path = experiment_dir / REPORT
    with replacing_file(path) as file:
        file.write(render_page(context))
    note_origins([path], [experiment_dir / RESULTS])
    return path


def render_page(context: dict[str, Any]) -> str:
    """Fill the template; ids and all other text are escaped, plots are not."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(TEMPLATE).render(context)


def choose_rows(path: Path, phases: Sequence[str]) -> list[ResultRow]:
    """Read the rows of some phases, in their order."""
    rows = read_results(path)
    found = {row["phase"] for row in rows}
    absent = [phase for phase in phases if phase not in found]
    if absent:
        raise ValueError(
            f"{path}: no rows of {', '.join(absent)}, only of {', '.join(sorted(found))}: "
            f"{Stage.RESULTS.again}"
        )
    chosen = [row for row in rows if row["phase"] in phases]
    return sorted(chosen, key=lambda row: phases.index(row["phase"]))
