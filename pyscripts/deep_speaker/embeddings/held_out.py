"""The list of held-out speakers in an x-vector directory."""

from collections.abc import Iterable
from pathlib import Path

from deep_speaker.config import Experiment
from deep_speaker.corpora.speaker_splits import split_for_scoring
from deep_speaker.system.files import read_utf8

HELD_OUT_FILE = "held_out_speakers"  # a file of an x-vector directory, a speaker a line


def write_held_out(folder: Path, speakers: Iterable[str]) -> None:
    """Write the list into an x-vector directory that is being made."""
    (folder / HELD_OUT_FILE).write_text("".join(f"{name}\n" for name in sorted(speakers)))


def read_held_out_list(folder: Path) -> set[str] | None:
    """Return the speakers of the list; None where there is no list."""
    path = folder / HELD_OUT_FILE
    return set(read_utf8(path).split()) if path.is_file() else None


def read_held_out(folder: Path, data_dir: Path, experiment: Experiment) -> set[str]:
    """Return who is held out of a training set, by the list of its x-vectors, else by the config.

    The list tells who did not train, whatever the config says by now. Published weights and
    x-vectors of other programs have none.
    """
    listed = read_held_out_list(folder)
    if listed is None:
        return set(split_for_scoring(data_dir, experiment)[1])
    return listed
