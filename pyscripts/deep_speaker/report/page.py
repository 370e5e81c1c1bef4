"""The report of an experiment: one HTML page that needs nothing else (stage 6)."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deep_speaker.config import Experiment, read_experiment
from deep_speaker.config.folders import xvector_dir
from deep_speaker.config.phases import final_phase, is_floor
from deep_speaker.config.stages import Stage
from deep_speaker.kaldi.tables import read_optional_table
from deep_speaker.report.det_curves import P_TARGET
from deep_speaker.report.embedding_map import (
    MAX_SPEAKERS,
    MAX_UTTERANCES,
    embedding_figure,
    embedding_map,
)
from deep_speaker.report.list_section import report_list
from deep_speaker.report.provenance import num_parameters, set_size, stage_times, versions
from deep_speaker.report.styles import phase_styles
from deep_speaker.report.training_curves import read_training_curves, training_figure
from deep_speaker.results.rows import (
    CONVENTIONS,
    Row,
    format_interval,
    interval_of,
    list_names,
    read_results,
)
from deep_speaker.system.files import read_utf8, replacing_file
from deep_speaker.trials.lists import base_list, find_trial_lists, is_identification

TEMPLATE = "report.html.j2"


class Headline(NamedTuple):
    """What an experiment comes to on a list, and what that is to be measured by.

    Attributes:
        main: the final phase by its main back end, both chosen before any trial was scored.
        lowest: the lowest EER of the trained phases, where that is another.
        floor: the lowest floor by the same back end; where there is none, of all floors.
    """

    trials: str
    main: Row
    interval: str
    lowest: Row | None
    floor: Row | None


def write_report(data_dir: Path, experiment_dir: Path, phases: Sequence[str]) -> Path:
    """Write report.html into an experiment's folder.

    Args:
        data_dir: of the test set, with its trial lists.
        phases: those to report, in order; results.json has rows of each.

    Returns:
        Its path.
    """
    phases = list(dict.fromkeys(phases))
    rows = choose_rows(experiment_dir / "results.json", phases)
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
        "headlines": [headline(rows, name, final) for name in headline_lists(rows)],
        "lists": [
            report_list(name, lists.get(name), experiment_dir / "scores", phases, rows)
            for name in list_names(rows)
        ],
        "same_sex": any(row["subset"] == "same_sex" for row in rows),
        "curves": curves,
        "training": training_figure("training", curves, phase_styles(phases)) if curves else None,
        "embeddings": embeddings,
        "map": embedding_figure("map", embeddings) if embeddings else None,
        "map_limits": (MAX_SPEAKERS, MAX_UTTERANCES),
        "marked_cost": P_TARGET,
        "conventions": CONVENTIONS,
        **origin,
    }
    path = experiment_dir / "report.html"
    with replacing_file(path) as file:
        file.write(page(context))
    return path


def page(context: dict[str, Any]) -> str:
    """The page; ids and all other text are escaped, plots are not."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(TEMPLATE).render(context)


def choose_rows(path: Path, phases: Sequence[str]) -> list[Row]:
    """The rows of some phases, in their order."""
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


def headline_lists(rows: Sequence[Row]) -> list[str]:
    """The lists for verification; where there are none, all."""
    names = list(dict.fromkeys(row["trials"] for row in rows))
    own = [name for name in names if base_list(name) == name and not is_identification(name)]
    return own or names


def headline(rows: Sequence[Row], name: str, final: str) -> Headline:
    """The figure of a list to begin with; see `Headline`."""
    everything = [row for row in rows if (row["trials"], row["subset"]) == (name, "all")]
    floors = [row for row in everything if is_floor(row["phase"])]
    trained = [row for row in everything if not is_floor(row["phase"])]
    main = next(row for row in everything if row["phase"] == final)
    same = [row for row in floors if row["backend"] == main["backend"]]
    lowest, floor = (
        min(some, key=lambda row: row["eer_percent"], default=None)
        for some in (trained, same or floors)
    )
    return Headline(
        name,
        main,
        format_interval(interval_of(main, "eer_percent"), 2),
        lowest if lowest and lowest["eer_percent"] < main["eer_percent"] else None,
        floor if floor is not main else None,
    )


def describe_origin(data_dir: Path, experiment_dir: Path) -> dict[str, Any]:
    """What the page tells of data, network, programs and time."""
    config = experiment_dir / "config.yaml"
    experiment = read_config(config)
    sizes = [set_size(data_dir.parent / "train"), set_size(data_dir)]
    return {
        "configs": read_configs(experiment_dir),
        "seed": experiment.seed if experiment else None,
        "num_parameters": num_parameters(experiment) if experiment else None,
        "sizes": [size for size in sizes if size],
        "prepared": read_optional_table(data_dir.parent / "stage_0_options"),
        "times": stage_times(data_dir.parent, experiment_dir),
        "versions": versions(),
    }


def read_configs(experiment_dir: Path) -> dict[str, str]:
    """The experiment file by its title, and that of stage 5 where it is another."""
    sources = {
        "config.yaml": experiment_dir / "config.yaml",
        "config.yaml of the scores (stage 5)": experiment_dir / "scores/config.yaml",
    }
    titles: dict[str, str] = {}
    for title, path in sources.items():
        if path.is_file():
            titles.setdefault(read_utf8(path), title)
    return {title: text for text, title in titles.items()}


def read_config(path: Path) -> Experiment | None:
    """An experiment file; None, with a warning, where it is of a form of another day."""
    if not path.is_file():
        return None
    try:
        return read_experiment(path)
    except ValueError as error:
        logging.warning("%s: the report goes without the network's size", error)
        return None
