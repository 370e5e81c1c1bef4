"""The origin of results: configuration, data, programs, time."""

import logging
import platform
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from deep_speaker.config import Experiment, read_experiment
from deep_speaker.config.folders import CONFIG, SCORES
from deep_speaker.config.stages import Stage
from deep_speaker.kaldi.tables import iterate_table, read_optional_table
from deep_speaker.networks.registry import build_network, count_parameters
from deep_speaker.system.command import available_cores
from deep_speaker.system.files import RECIPE, read_utf8
from deep_speaker.system.sums import recipe_commit

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "lhotse", "kaldiio", "matplotlib")


class SetSize(NamedTuple):
    """The size of a data directory; hours are None where durations are not known."""

    name: str
    num_speakers: int
    num_utterances: int
    hours: float | None


class StageTime(NamedTuple):
    """The seconds of a stage."""

    stage: int
    what: str
    seconds: float


def describe_origin(data_dir: Path, experiment_dir: Path) -> dict[str, Any]:
    """Return all that the page says of data, network, programs and time."""
    config = experiment_dir / CONFIG
    experiment = _read_experiment_if_good(config)
    sizes = [set_size(data_dir.parent / "train"), set_size(data_dir)]
    return {
        "configs": read_config_texts(experiment_dir),
        "seed": experiment.seed if experiment else None,
        "num_parameters": num_parameters(experiment) if experiment else None,
        "sizes": [size for size in sizes if size],
        "prepared": read_optional_table(data_dir.parent / "stage_0_options"),
        "times": stage_times(data_dir.parent, experiment_dir),
        "versions": versions(),
    }


def read_config_texts(experiment_dir: Path) -> dict[str, str]:
    """Read the experiment file, by its title, and that of stage 5 where it is another."""
    sources = {
        CONFIG: experiment_dir / CONFIG,
        f"{CONFIG} of the scores (stage {Stage.SCORES:d})": experiment_dir / SCORES / CONFIG,
    }
    texts: dict[str, str] = {}
    found: set[str] = set()
    for title, path in sources.items():
        if path.is_file():
            texts[title] = read_utf8(path)
            content = texts[title].partition("\n")[2]  # below the line that tells its origin
            if content in found:
                texts.pop(title)
            found.add(content)
    return texts


def _read_experiment_if_good(path: Path) -> Experiment | None:
    """Read an experiment file; None, with a warning, where it is of an older form."""
    if not path.is_file():
        return None
    try:
        return read_experiment(path)
    except ValueError as error:
        logging.warning("%s: the report goes without the network's size", error)
        return None


def set_size(folder: Path) -> SetSize | None:
    """Return the size of a data directory; None where there is none."""
    if not (folder / "utt2spk").is_file():
        return None
    speakers = [speaker for _, speaker in iterate_table(folder / "utt2spk")]
    durations = folder / "utt2dur"
    hours = sum_seconds(durations) / 3600 if durations.is_file() else None
    return SetSize(folder.name, len(set(speakers)), len(speakers), hours)


def sum_seconds(utt2dur: Path) -> float:
    """Add up the durations of utterances."""
    total = 0.0
    for utterance, seconds in iterate_table(utt2dur):
        try:
            total += float(seconds)
        except ValueError:
            raise ValueError(
                f"{utt2dur}: {utterance} lasts {seconds!r}, which is no number: "
                f"{Stage.PREPARATION.again}"
            ) from None
    return total


def stage_times(*folders: Path) -> list[StageTime]:
    """Read the tables stage_seconds of folders, `stage_<number> <seconds>`; sort them by stage."""
    found = {}
    for folder in folders:
        path = folder / "stage_seconds"
        for key, value in read_optional_table(path).items():
            try:
                number, seconds = int(key.removeprefix("stage_")), float(value)
            except ValueError:
                raise ValueError(
                    f"{path}: expected 'stage_<number> <seconds>', got '{key} {value}': remove it"
                ) from None
            what = Stage(number).makes if number in set(Stage) else ""
            found[number] = StageTime(number, what, seconds)
    return sorted(found.values())


def versions() -> dict[str, str]:
    """Return the versions of programs and the machine; without packages that are not installed."""
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    found |= {"system": system, "CPU cores": str(available_cores())}
    return found | ({"recipe": f"git {commit}"} if (commit := recipe_commit(RECIPE)) else {})


def num_parameters(experiment: Experiment) -> int:
    """Count the parameters of the network of an experiment, its loss excluded."""
    return count_parameters(build_network(experiment))
