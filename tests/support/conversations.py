"""Conversations joined from utterances of a corpus folder, and who speaks when in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from deep_speaker.voices.speech import FULL_SCALE, frame_levels

RATE = 16000
TURN_UTTERANCES = (1, 4)  # at least, at most
PAUSE_SECONDS = (0.2, 1.0)
SPEECH_DB = 35  # below the 95th percentile of an utterance's frames: what is quieter is a pause
LONG_PAUSE_SECONDS = 0.5  # the reference ends where nobody speaks for longer
NOISE_DB = 30  # below the same: no pause is louder

Spans = list[tuple[str, float, float]]  # speaker, start, end


@dataclass(frozen=True)
class Conversation:
    """Speech of several speakers in turns, without overlap.

    Attributes:
        samples: from -1 to 1, shape (num_samples,).
        spans: who speaks when.
        enrolled: other recordings of these speakers.
    """

    samples: np.ndarray
    spans: Spans
    enrolled: dict[str, list[Path]]

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


def read_speakers(folder: Path) -> dict[str, list[Path]]:
    """Return the utterances of each folder of a corpus: those of LibriSpeech lie a level lower."""
    found = {path.name: sorted(path.rglob("*.flac")) for path in sorted(folder.iterdir())}
    return {name: paths for name, paths in found.items() if len(paths) > 3}


def join_conversation(
    speakers: Mapping[str, Sequence[Path]], num_enrolled: int, rng: np.random.Generator
) -> Conversation:
    """Join utterances to a conversation in which each speaker has several turns.

    Args:
        speakers: the utterances of each, of which `num_enrolled` are kept to enrol him.
    """
    shuffled = {name: list(rng.permutation(np.array(paths))) for name, paths in speakers.items()}
    enrolled = {name: paths[:num_enrolled] for name, paths in shuffled.items()}
    left = {name: paths[num_enrolled:] for name, paths in shuffled.items()}
    pieces: list[np.ndarray] = []
    spans: Spans = []
    length, speaker = 0, ""
    while any(left.values()):
        others = [name for name in left if left[name] and name != speaker]
        if not others:
            break
        speaker = str(rng.choice(others))
        for _ in range(rng.integers(TURN_UTTERANCES[0], TURN_UTTERANCES[1], endpoint=True)):
            if not left[speaker]:
                break
            samples, found = read_utterance(left[speaker].pop())
            spans += [(speaker, length / RATE + start, length / RATE + end) for start, end in found]
            pause = make_pause(samples, rng)
            pieces += [samples, pause]
            length += len(samples) + len(pause)
    return Conversation(np.concatenate(pieces).astype(np.float32), spans, enrolled)


def read_utterance(path: Path) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Return samples from -1 to 1, trimmed, and when there is speech in them, in seconds."""
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    levels = frame_levels(samples * np.float32(FULL_SCALE), RATE)
    loud = np.flatnonzero(levels > np.percentile(levels, 95) - SPEECH_DB)
    first = loud[0]
    spans: list[tuple[float, float]] = []
    for part in np.split(loud, np.flatnonzero(np.diff(loud) > 100 * LONG_PAUSE_SECONDS) + 1):
        spans.append(((part[0] - first) / 100, (part[-1] - first) / 100 + 0.025))
    return samples[first * RATE // 100 : loud[-1] * RATE // 100 + RATE // 40], spans


def make_pause(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return noise as loud as the pauses of an utterance."""
    levels = frame_levels(samples * np.float32(FULL_SCALE), RATE)
    level = min(np.percentile(levels, 10), np.percentile(levels, 95) - NOISE_DB)
    length = int(rng.uniform(*PAUSE_SECONDS) * RATE)
    return 10 ** (level / 20) * rng.standard_normal(length)
