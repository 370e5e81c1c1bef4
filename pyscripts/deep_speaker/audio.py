"""Audio files, and the entries of wav.scp that stand for them: paths, and commands that print WAV.

A command ends in `|`, and a shell runs it, as in Kaldi. The forms that `wav_entry` gives to files
that libsndfile reads are told from the others, and those files decoded without a shell.
"""

import io
import re
import shlex
import subprocess
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
import soundfile

# What libsndfile decodes, and what only ffmpeg does.
SNDFILE_SUFFIXES = {
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
FFMPEG_SUFFIXES = {".m4a", ".aac", ".mp4"}
# What a folder of recordings is searched for.
AUDIO_SUFFIXES = SNDFILE_SUFFIXES | FFMPEG_SUFFIXES
FLAC_COMMAND = ["flac", "-c", "-d", "-s"]
FFMPEG_COMMAND = ["ffmpeg", "-v", "error", "-i"]
FFMPEG_OUTPUT = ["-f", "wav", "-acodec", "pcm_s16le", "-"]
SHELL_SYNTAX = re.compile(r"""[]$`*?[{}~<>;&()|#!'"\\\n]""")
MISSING_PROGRAM = re.compile(r"^bash: (?:line \d+: )?(.*): command not found$", re.MULTILINE)

MAX_OVERSHOOT = 0.5  # seconds a segment may reach past its recording, as in extract-segments


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
    """Read the header of an audio file; of one that only ffmpeg decodes, the header that it prints.

    Raises:
        ValueError: the file is empty, holds no samples, or cannot be read.
    """
    if not path.exists():
        raise ValueError("no such file")
    if path.stat().st_size == 0:
        raise ValueError("empty file")
    with open_audio(str(path)) as file:
        return info_of(file)


def read_entry_info(entry: str) -> AudioInfo:
    """Read the header of a file, or of what a command prints, as Kaldi's get_utt2dur.sh does.

    Raises:
        ValueError: see `open_audio`; or there are no samples.
    """
    path = file_of_entry(entry)
    if path is not None:
        return read_info(path)
    with open_audio(entry) as file:
        return info_of(file)


def info_of(file: soundfile.SoundFile) -> AudioInfo:
    """What the header of an open file says.

    Raises:
        ValueError: it holds no samples.
    """
    if file.frames <= 0:
        raise ValueError("no samples")
    return AudioInfo(file.samplerate, file.frames, file.channels, file.format, file.subtype)


def wav_entry(path: Path, info: AudioInfo) -> str:
    """The entry of wav.scp by which Kaldi's programs read `path`.

    Kaldi itself reads 16-bit WAV alone; a FLAC or other file stands as the command that turns it
    into that.
    """
    absolute = str(path.absolute())
    if path.suffix.lower() in FFMPEG_SUFFIXES:  # its info may be that of what ffmpeg prints
        return ffmpeg_entry(absolute)
    if info.format in ("WAV", "WAVEX") and info.subtype == "PCM_16":
        return absolute
    if info.format == "FLAC" and info.subtype == "PCM_16":
        return shlex.join([*FLAC_COMMAND, absolute]) + " |"
    return ffmpeg_entry(absolute)


def ffmpeg_entry(path: str) -> str:
    """The command that decodes a file by ffmpeg."""
    return shlex.join([*FFMPEG_COMMAND, path, *FFMPEG_OUTPUT]) + " |"


def file_of_entry(entry: str) -> Path | None:
    """The audio file behind an entry of one of `wav_entry`'s forms; None: another command.

    >>> file_of_entry("flac -c -d -s /speech/a.flac |").as_posix()
    '/speech/a.flac'
    >>> file_of_entry("sph2pipe -f wav /speech/a.sph |")
    """
    if not entry.endswith("|"):
        return Path(entry)
    command = entry.removesuffix("|").strip()
    if not command.startswith((FLAC_COMMAND[0], FFMPEG_COMMAND[0])):
        return None  # as the rest would find out, slowly
    try:
        words = shlex.split(command)
    except ValueError:  # a quotation that does not end: let the shell complain
        return None
    if SHELL_SYNTAX.search(command) and command != shlex.join(words):
        return None  # a shell may make another path of it
    for before, after in ((FLAC_COMMAND, []), (FFMPEG_COMMAND, FFMPEG_OUTPUT)):
        place = len(before)
        if words[:place] == before and words[place + 1 :] == after and words[place:]:
            return Path(words[place])
    return None


def open_audio(entry: str) -> soundfile.SoundFile:
    """Open a file, or what a command prints, which is held in memory then.

    Raises:
        ValueError: it cannot be decoded, or the command fails.
    """
    path = file_of_entry(entry)
    source: str | io.BytesIO = str(path)
    if path is None:
        source = io.BytesIO(run_command(entry))
    elif path.suffix.lower() in FFMPEG_SUFFIXES:
        source = io.BytesIO(run_command(ffmpeg_entry(str(path))))
    try:
        return soundfile.SoundFile(source)
    except (soundfile.LibsndfileError, OSError) as error:
        raise ValueError(f"unreadable: {getattr(error, 'error_string', error)}") from error


def run_command(entry: str) -> bytes:
    """What the command of an entry prints, run by a shell as Kaldi runs it.

    Raises:
        ValueError: it fails, or prints nothing; with the last line of its complaints.
    """
    command = entry.removesuffix("|")
    result = subprocess.run(
        ["bash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if result.returncode == 0 and result.stdout:
        if result.stdout[:8] == b"RIFF" + bytes(4):  # streamed; to libsndfile, 8 says so and 0 not
            return b"RIFF" + (8).to_bytes(4, "little") + result.stdout[8:]
        return result.stdout
    complaints = result.stderr.decode(errors="replace").strip()
    missing = MISSING_PROGRAM.search(complaints)
    if missing:
        raise ValueError(f"{missing[1]}: command not found: install it, or put it on the PATH")
    reason = complaints.splitlines()[-1] if complaints else f"exit status {result.returncode}"
    if result.returncode == 0:
        raise ValueError(f"no samples: {command.strip()!r} prints nothing ({reason})")
    raise ValueError(f"{command.strip()!r} fails: {reason}")


def load_audio(
    entry: str, sampling_rate: int, start: float = 0.0, end: float | None = None
) -> tuple[np.ndarray, AudioInfo]:
    """Samples of the first channel, on the scale of 16-bit integers, at `sampling_rate`.

    As Kaldi does with `--channel=-1 --allow-downsample --allow-upsample`.

    Args:
        start, end: seconds of a segment; see `segment_bounds`.

    Returns:
        float32 samples in -32768..32767, shape (num_samples,), and the whole recording's own form.

    Raises:
        ValueError: the audio cannot be decoded, or holds no such segment.
    """
    with open_audio(entry) as file:
        return read_samples(file, sampling_rate, start, end), info_of(file)


def read_samples(
    file: soundfile.SoundFile, sampling_rate: int, start: float = 0.0, end: float | None = None
) -> np.ndarray:
    """The samples of `load_audio` of an open file, or of a segment of it.

    Args:
        start, end: seconds; see `segment_bounds`.

    Raises:
        ValueError: there are no such samples, or they cannot be decoded.
    """
    if file.frames <= 0:
        raise ValueError("no samples")
    first, last = segment_bounds(file.samplerate, file.frames, start, end)
    try:
        if first:
            file.seek(first)
        samples = file.read(last - first, dtype="float32", always_2d=True)[:, 0]
    except soundfile.LibsndfileError as error:
        raise ValueError(f"unreadable: {error.error_string}") from error
    if not len(samples):
        raise ValueError("no samples")
    if file.samplerate != sampling_rate:
        samples = resample(samples, file.samplerate, sampling_rate)
    return samples * np.float32(32768)


def segment_bounds(rate: int, num_samples: int, start: float, end: float | None) -> tuple[int, int]:
    """The first sample of a segment and the one after its last, as Kaldi's extract-segments has it.

    An end less than `MAX_OVERSHOOT` past the recording's is taken for its end.

    Args:
        rate, num_samples: of the recording.
        start, end: seconds; no end is that of the recording.

    Raises:
        ValueError: the recording has no such segment.

    >>> segment_bounds(16000, 48000, 1.5, 3.2)
    (24000, 48000)
    """
    first, last = int(start * rate), num_samples if end is None else int(end * rate)
    if not 0 <= first < min(last, num_samples) or last >= num_samples + int(MAX_OVERSHOOT * rate):
        raise ValueError(
            f"no such segment: {start:g} to {last / rate:g} s of a recording of "
            f"{num_samples / rate:g} s"
        )
    return first, min(last, num_samples)


def resample(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Change the sampling rate by a polyphase filter; float32 in and out."""
    from scipy.signal import resample_poly  # slow to import, and seldom needed

    common = gcd(rate, new_rate)
    return resample_poly(samples, new_rate // common, rate // common).astype(np.float32)
