"""Recordings as users have them: files, or samples with their rate."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from deep_speaker.kaldi.audio import open_file, read_samples
from deep_speaker.kaldi.resampling import resample
from deep_speaker.voices.channels import find_unheard
from deep_speaker.voices.speech import FULL_SCALE, SHIFT_MS, detect_speech

UNREADABLE = "convert it to WAV or FLAC, or record it anew"  # the remedy
SHORTEST_SPEECH = 1.0  # seconds: what is shorter fits too many voices
CLIPPED = 0.99  # of full scale
MANY_CLIPPED = 0.001  # share of samples
QUIET_DB, LOUD_DB = -50, -6  # root mean square below full scale


@dataclass(frozen=True)
class Recording:
    """One channel of a recording.

    Attributes:
        name: for messages.
        samples: float32 at `rate`, on the scale of 16-bit integers, shape (num_samples,).
        rate: in Hz, that of the model.
        original_rate: in Hz, that of the recording.
        speech: seconds of it that may be speech.
        warnings: what makes it unlike recordings that models are trained on.
    """

    name: str
    samples: np.ndarray
    rate: int
    original_rate: int
    speech: float
    warnings: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def read_recording(audio: str | Path | np.ndarray, sampling_rate: int, rate: int | None = None,
                   shortest: float = SHORTEST_SPEECH, channel: int = 0) -> Recording:  # fmt: skip
    """Read a file, or take samples, and refuse what holds too little speech.

    Args:
        audio: a file that libsndfile or ffmpeg decodes; or samples, int16 or floats from -1 to 1,
            shape (num_samples,) or (num_samples, channels).
        sampling_rate: in Hz, that the model takes.
        rate: in Hz, of samples.
        shortest: seconds of speech that are needed.
        channel: which one to hear, from 0.

    Raises:
        ValueError: no such recording, or too little speech in it.
    """

    def read(channel: int) -> tuple[np.ndarray, int, int]:
        if isinstance(audio, np.ndarray):
            return take_samples(audio, rate, sampling_rate, channel)
        return read_file(Path(audio), sampling_rate, channel)

    name = "the samples" if isinstance(audio, np.ndarray) else str(audio)
    samples, original, num_channels = read(channel)
    heard = detect_speech(samples, sampling_rate)
    speech = float(heard.sum() * SHIFT_MS / 1000)
    unheard = find_unheard(
        heard, channel, num_channels,
        lambda other: detect_speech(read(other)[0], sampling_rate), shortest,
    )  # fmt: skip
    check_speech(name, samples, sampling_rate, speech, shortest, unheard)
    warnings = find_faults(samples, original, sampling_rate) + ([unheard] if unheard else [])
    return Recording(name, samples, sampling_rate, original, speech, warnings)


def read_file(path: Path, sampling_rate: int, channel: int) -> tuple[np.ndarray, int, int]:
    """Return a channel of a file at another rate, its own rate, and how many channels it has."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        with open_file(path.resolve(), channel) as file:
            return read_samples(file, sampling_rate), file.samplerate, file.channels
    except ValueError as error:
        raise ValueError(f"{path}: {error}: {UNREADABLE}") from error


def take_samples(
    samples: np.ndarray, rate: int | None, sampling_rate: int, channel: int
) -> tuple[np.ndarray, int, int]:
    """Return a channel on the scale of 16-bit integers at another rate; rest as `read_file`."""
    if not rate or rate < 1:
        raise ValueError(f"samples with rate {rate}: give their rate in Hz")
    if samples.ndim > 2 or not samples.size:
        raise ValueError(f"samples of shape {samples.shape}: give (num_samples,)")
    columns = samples if samples.ndim == 2 else samples[:, None]
    if channel >= columns.shape[1]:
        raise ValueError(f"samples of shape {samples.shape}: no channel {channel} (from 0)")
    first = columns[:, channel]
    if np.issubdtype(first.dtype, np.floating):
        first = first.astype(np.float32) * np.float32(FULL_SCALE)
    elif first.dtype == np.int16:
        first = first.astype(np.float32)
    else:
        raise ValueError(f"samples of {first.dtype}: give int16, or floats from -1 to 1")
    if not np.isfinite(first).all():
        raise ValueError("samples that are not finite numbers: look at what made them")
    fitting = first if rate == sampling_rate else resample(first, rate, sampling_rate)
    return fitting, rate, columns.shape[1]


def check_speech(
    name: str, samples: np.ndarray, rate: int, speech: float, shortest: float, unheard: str
) -> None:
    """Refuse a recording with too little speech.

    Args:
        unheard: that there is some on another channel.

    Raises:
        ValueError: with what it holds instead.
    """
    if speech >= shortest:
        return
    seconds = len(samples) / rate
    if seconds < shortest:
        problem = f"{seconds:.1f} s long"
    elif not speech:
        loudest = np.abs(samples).max() / FULL_SCALE
        problem = (
            f"no voice in its {seconds:.1f} s (silence, or a steady noise; peak {loudest:.3f})"
        )
    else:
        problem = f"{speech:.1f} s of voice in its {seconds:.1f} s"
    if unheard:
        raise ValueError(f"{name}: {problem}, but {unheard}")
    raise ValueError(f"{name}: {problem}: give a recording with at least {shortest:g} s of speech")


def find_faults(samples: np.ndarray, original_rate: int, rate: int) -> list[str]:
    """Say what makes a recording unlike those that models are trained on."""
    found = []
    if original_rate < rate:
        found.append(
            f"sampled at {original_rate} Hz, so nothing is above {original_rate // 2} Hz, where "
            f"the model was trained on {rate} Hz"
        )
    clipped = float(np.mean(np.abs(samples) >= CLIPPED * FULL_SCALE))
    if clipped > MANY_CLIPPED:
        found.append(f"{100 * clipped:.1f} % of its samples are clipped: record it more quietly")
    level = 10 * np.log10(max(float(np.mean(np.square(samples / FULL_SCALE))), 1e-12))
    if not QUIET_DB <= level <= LOUD_DB:
        kind = "quiet" if level < QUIET_DB else "loud"
        found.append(f"very {kind}: {level:.0f} dB below full scale".replace(": -", ": "))
    return found
