"""Audio files, and the entries of wav.scp that stand for them."""

import shlex
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
import soundfile

# What a folder of recordings is searched for; all of it libsndfile decodes.
AUDIO_SUFFIXES = {
    ".wav",
    ".flac",
    ".ogg",
    ".opus",
    ".mp3",
    ".aiff",
    ".aif",
    ".w64",
    ".sph",
    ".nist",
}
FLAC_COMMAND = ["flac", "-c", "-d", "-s"]
FFMPEG_COMMAND = ["ffmpeg", "-v", "error", "-i"]
FFMPEG_OUTPUT = ["-f", "wav", "-acodec", "pcm_s16le", "-"]


@dataclass(frozen=True)
class AudioInfo:
    """What the header of a file says. `subtype` is libsndfile's name of the sample form."""

    sampling_rate: int
    num_samples: int
    num_channels: int
    format: str
    subtype: str

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.num_samples / self.sampling_rate


def read_info(path: Path) -> AudioInfo:
    """Read the header of an audio file.

    Raises:
        ValueError: the file is empty, holds no samples, or cannot be read.
    """
    if path.stat().st_size == 0:
        raise ValueError("empty file")
    try:
        info = soundfile.info(str(path))
    except soundfile.LibsndfileError as error:
        raise ValueError(f"unreadable: {error.error_string}") from error
    if info.frames <= 0:
        raise ValueError("no samples")
    return AudioInfo(info.samplerate, info.frames, info.channels, info.format, info.subtype)


def wav_entry(path: Path, info: AudioInfo) -> str:
    """The entry of wav.scp by which Kaldi's programs read `path`.

    Kaldi itself reads 16-bit WAV alone; a FLAC or other file stands as the command that turns it
    into that. `load_audio` knows these forms and starts no shell.
    """
    absolute = str(path.absolute())
    if info.format in ("WAV", "WAVEX") and info.subtype == "PCM_16":
        return absolute
    if info.format == "FLAC" and info.subtype == "PCM_16":
        return shlex.join([*FLAC_COMMAND, absolute]) + " |"
    return shlex.join([*FFMPEG_COMMAND, absolute, *FFMPEG_OUTPUT]) + " |"


def file_of_entry(entry: str) -> Path:
    """The audio file behind an entry of wav.scp that has one of `wav_entry`'s forms.

    >>> file_of_entry("flac -c -d -s /speech/a.flac |").as_posix()
    '/speech/a.flac'

    Raises:
        ValueError: the entry is another command.
    """
    if not entry.endswith("|"):
        return Path(entry)
    words = shlex.split(entry.removesuffix("|"))
    if words[:-1] == FLAC_COMMAND:
        return Path(words[-1])
    if (
        words[: len(FFMPEG_COMMAND)] == FFMPEG_COMMAND
        and words[-len(FFMPEG_OUTPUT) :] == FFMPEG_OUTPUT
    ):
        return Path(words[len(FFMPEG_COMMAND)])
    raise ValueError(
        f"unknown command in wav.scp: {entry!r}; known are a file's path, "
        f"'{' '.join(FLAC_COMMAND)} FILE |' and "
        f"'{' '.join([*FFMPEG_COMMAND, 'FILE', *FFMPEG_OUTPUT])} |'"
    )


def load_audio(entry: str, sampling_rate: int) -> tuple[np.ndarray, AudioInfo]:
    """Samples of the first channel, on the scale of 16-bit integers, at `sampling_rate`.

    As Kaldi does with `--channel=-1 --allow-downsample --allow-upsample`.

    Returns:
        float32 samples in -32768..32767, shape (num_samples,), and the file's own form.

    Raises:
        ValueError: the file cannot be decoded, or holds no samples.
    """
    path = file_of_entry(entry)
    try:
        with soundfile.SoundFile(str(path)) as file:
            samples = file.read(dtype="float32", always_2d=True)[:, 0]
            info = AudioInfo(
                file.samplerate, len(samples), file.channels, file.format, file.subtype
            )
    except (soundfile.LibsndfileError, OSError) as error:
        raise ValueError(f"unreadable: {getattr(error, 'error_string', error)}") from error
    if not len(samples):
        raise ValueError("no samples")
    if info.sampling_rate != sampling_rate:
        samples = resample(samples, info.sampling_rate, sampling_rate)
    return samples * np.float32(32768), info


def resample(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Change the sampling rate by a polyphase filter; float32 in and out."""
    from scipy.signal import resample_poly  # slow to import, and seldom needed

    common = gcd(rate, new_rate)
    return resample_poly(samples, new_rate // common, rate // common).astype(np.float32)
