"""Utterances: recordings, or segments of them, with their speakers."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deep_speaker.kaldi.mapped_tables import MappedTable
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.wav_entries import AudioInfo, channel_of_entry

# Control characters, and white space on which Kaldi's readers and scripts do not agree.
ODD = "\0-\x08\x0b-\x1f\x7f-\x9f\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
NOT_IN_IDS = re.compile(f"[{ODD} \t\n\ud800-\udfff]")  # the last are no UTF-8


@dataclass(frozen=True)
class Segment:
    """A part of a recording, in seconds."""

    recording: str
    start: float
    end: float


@dataclass(frozen=True)
class Utterance:
    """The speech of one speaker in a recording, or in a segment of one.

    Attributes:
        id: utterances sorted by it must be sorted by `speaker` too, as they are where every id
            begins with the speaker id and a dash.
        entry: of wav.scp: a path, or a command that ends in `|`; see `wav_entries.wav_entry`.
        info: of the whole recording.
        sex: `m`, `f` or None where it is not known.
        text: what is said; None where that is not known.
        segment: None where the utterance is the whole recording, which then has its id.
    """

    id: str
    speaker: str
    entry: str
    info: AudioInfo
    sex: str | None = None
    text: str | None = None
    segment: Segment | None = None

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.segment.end - self.segment.start if self.segment else self.info.duration

    @property
    def recording(self) -> str:
        """The recording's id."""
        return self.segment.recording if self.segment else self.id

    @property
    def channel(self) -> int:
        """Which of the recording's channels is heard, from 0."""
        return channel_of_entry(self.entry)


def check_id(text: str, what: str) -> None:
    """Refuse an id that a table cannot hold.

    Raises:
        ValueError: it is empty, or holds white space or control characters.
    """
    if not text or NOT_IN_IDS.search(text):
        raise ValueError(f"{what} {text!r} is empty or holds white space: rename it")


def group_by_speaker(utt2spk: Mapping[str, str]) -> dict[str, list[str]]:
    """Return spk2utt of utt2spk: speakers and their utterances, each sorted."""
    spk2utt: dict[str, list[str]] = defaultdict(list)
    for utterance in sorted(utt2spk):
        spk2utt[utt2spk[utterance]].append(utterance)
    return dict(sorted(spk2utt.items()))


def find_uncopied(utt2spk: Mapping[str, str], utt2uniq: Mapping[str, str]) -> dict[str, str]:
    """Return, for each utterance, the one of its speaker that it is a copy of: itself for others.

    Args:
        utt2uniq: the originals of copies; may be empty. One of another speaker is none: a copy at
            another speed counts as an utterance.
    """
    originals = {key: utt2uniq.get(key, key) for key in utt2spk}
    return {
        key: original if utt2spk.get(original) == utt2spk[key] else key
        for key, original in originals.items()
    }


def read_uncopied(data_dir: Path) -> Mapping[str, str]:
    """Read utt2spk of a data directory, without utterances that are copies of its others."""
    utt2spk = MappedTable(data_dir / "utt2spk")
    if not (data_dir / "utt2uniq").is_file():
        return utt2spk
    originals = find_uncopied(utt2spk, read_table(data_dir / "utt2uniq"))
    return {key: speaker for key, speaker in utt2spk.items() if originals[key] == key}
