"""Where results come from: configuration, data, programs, time."""

import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from deep_speaker.config import Experiment
from deep_speaker.config.stages import Stage
from deep_speaker.kaldi.tables import iterate_table, read_optional_table
from deep_speaker.networks.registry import build_network, count_parameters
from deep_speaker.system.command import available_cores

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "lhotse", "kaldiio", "matplotlib")
RECIPE = Path(__file__).resolve().parents[3]


class SetSize(NamedTuple):
    """How large a data directory is; hours are None where durations are not known."""

    name: str
    num_speakers: int
    num_utterances: int
    hours: float | None


class StageTime(NamedTuple):
    stage: int
    what: str
    seconds: float


def set_size(folder: Path) -> SetSize | None:
    """The size of a data directory; None where there is none."""
    if not (folder / "utt2spk").is_file():
        return None
    speakers = [speaker for _, speaker in iterate_table(folder / "utt2spk")]
    durations = folder / "utt2dur"
    hours = sum_seconds(durations) / 3600 if durations.is_file() else None
    return SetSize(folder.name, len(set(speakers)), len(speakers), hours)


def sum_seconds(utt2dur: Path) -> float:
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
    """What the tables stage_seconds of folders say, `stage_<number> <seconds>`, by stage."""
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
    """The programs and the machine; packages that are not installed are left out."""
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    found |= {"system": system, "CPU cores": str(available_cores())}
    return found | ({"recipe": f"git {commit}"} if (commit := recipe_commit(RECIPE)) else {})


def recipe_commit(folder: Path) -> str | None:
    """The commit of a git tree, with `-dirty` where files differ from it; None if it is none."""
    git = shutil.which("git")
    if not git or not (folder / ".git").exists():
        return None
    command = [git, "-C", str(folder), "describe", "--always", "--dirty", "--exclude=*"]
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}  # writes nothing
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return result.stdout.strip() or None


def num_parameters(experiment: Experiment) -> int:
    """Of the network of an experiment, its loss excluded."""
    return count_parameters(build_network(experiment))
