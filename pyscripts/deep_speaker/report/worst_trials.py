"""The trials that a system gets most wrong, with all that is needed to listen to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deep_speaker.kaldi.tables import read_optional_table
from deep_speaker.trials.models import read_models
from deep_speaker.trials.table import TrialTable, find_speakers


class Side(NamedTuple):
    """An utterance, or the model or speaker that several utterances enrol.

    Attributes:
        seconds: of all its utterances; None where they are not known.
        listen: the wav.scp entry of its first utterance, with the part of a segment.
        num_utterances: behind it.
    """

    id: str
    speaker: str
    sex: str
    seconds: float | None
    listen: str
    num_utterances: int


class WorstTrial(NamedTuple):
    """A trial and its score, or log-likelihood ratio."""

    enroll: Side
    test: Side
    score: float


@dataclass(frozen=True)
class IdTables:
    """Tables of a test directory, by which ids are described."""

    speakers: Mapping[str, str]
    sexes: Mapping[str, str]
    seconds: Mapping[str, str]
    entries: Mapping[str, str]
    segments: Mapping[str, str]
    members: Mapping[str, Sequence[str]]

    def describe(self, name: str) -> Side:
        """Describe an utterance, a model or a speaker."""
        utterances = self.members.get(name, [name])
        speaker = self.speakers[name]
        known = [float(self.seconds[key]) for key in utterances if key in self.seconds]
        seconds = sum(known) if len(known) == len(utterances) else None
        listen = self._listen(utterances[0])
        return Side(name, speaker, self.sexes.get(speaker, ""), seconds, listen, len(utterances))

    def _listen(self, utterance: str) -> str:
        recording, _, part = self.segments.get(utterance, utterance).partition(" ")
        entry = self.entries.get(recording, "")
        return f"{entry} (seconds {' to '.join(part.split())})" if part else entry


def read_id_tables(data_dir: Path, names: Sequence[str]) -> IdTables:
    """Read all that a test directory says of the names of a trial list; tables may be missing."""
    sexes, seconds, entries, segments, spk2utt = (
        read_optional_table(data_dir / name)
        for name in ("spk2gender", "utt2dur", "wav.scp", "segments", "spk2utt")
    )
    members = {key: keys.split() for key, keys in spk2utt.items()} | read_models(data_dir)
    utterances = read_optional_table(data_dir / "utt2spk")
    members = {key: keys for key, keys in members.items() if key not in utterances}
    speakers = dict(zip(names, find_speakers(names, data_dir), strict=True))
    return IdTables(speakers, sexes, seconds, entries, segments, members)


def worst_trials(
    trials: TrialTable, scores: np.ndarray, target: bool, tables: IdTables, count: int = 10
) -> list[WorstTrial]:
    """Return the targets with the lowest scores or the nontargets with the highest, worst first."""
    chosen = np.flatnonzero(trials.is_target == target)
    badness = scores[chosen] if target else -scores[chosen]
    last = np.partition(badness, min(count, len(badness)) - 1)[min(count, len(badness)) - 1]
    candidates = np.flatnonzero(badness <= last)
    order = candidates[np.argsort(badness[candidates], kind="stable")][:count]
    return [
        WorstTrial(
            tables.describe(trials.names[trials.enroll[i]]),
            tables.describe(trials.names[trials.test[i]]),
            float(scores[i]),
        )
        for i in chosen[order].tolist()
    ]
