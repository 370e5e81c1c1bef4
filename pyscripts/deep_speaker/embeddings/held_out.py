"""The list of held-out speakers in an x-vector directory."""

from collections.abc import Iterable, Mapping
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


def read_held_out(folder: Path, utt2spk: Mapping[str, str], experiment: Experiment) -> set[str]:
    """Return the held-out speakers of an x-vector directory, by its list, else by the experiment.

    The list tells who did not train, whatever the config says by now. Published weights and
    x-vectors of other programs have none.
    """
    listed = read_held_out_list(folder)
    if listed is None:
        return set(split_for_scoring(list(set(utt2spk.values())), experiment)[1])
    return listed
