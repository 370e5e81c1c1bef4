"""Utterances: recordings, or segments of them, with their speakers."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from deep_speaker.kaldi.wav_entries import AudioInfo


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


def group_by_speaker(utt2spk: Mapping[str, str]) -> dict[str, list[str]]:
    """Return spk2utt of utt2spk: speakers and their utterances, each sorted."""
    spk2utt: dict[str, list[str]] = defaultdict(list)
    for utterance in sorted(utt2spk):
        spk2utt[utt2spk[utterance]].append(utterance)
    return dict(sorted(spk2utt.items()))
