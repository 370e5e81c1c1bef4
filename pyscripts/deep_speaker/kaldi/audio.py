"""Headers and samples of audio files, and of the commands that wav.scp may hold instead.

A command ends in `|`, and a shell runs it, as in Kaldi. But the files behind the commands that
`wav_entries.wav_entry` writes are decoded without a shell, where libsndfile reads them.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from deep_speaker.kaldi.audio_bytes import explain, find_archived
from deep_speaker.kaldi.audio_files import AudioFile
from deep_speaker.kaldi.resampling import resample_pieces
from deep_speaker.kaldi.wav_entries import (
    FFMPEG_SUFFIXES,
    AudioInfo,
    archive_of_entry,
    channel_of_entry,
    ffmpeg_entry,
    file_of_entry,
)

MISSING_PROGRAM = re.compile(r"^bash: (?:line \d+: )?(.*): command not found$", re.MULTILINE)
LOUDEST = 1e9  # of floating-point samples, whose full scale is 1; sums of squares stay finite
MAX_OVERSHOOT = 0.5  # seconds a segment may reach past its recording: Kaldi's extract-segments


def read_info(path: Path) -> AudioInfo:
    """Read the header of an audio file; of one that only ffmpeg decodes, the header that it prints.

    Raises:
        ValueError: the file is empty, holds no samples, or cannot be read.
    """
    if not path.exists():
        raise ValueError("a link to nothing" if path.is_symlink() else "no such file")
    if path.stat().st_size == 0:
        raise ValueError("empty file")
    with open_file(path) as file:
        return file.info


def read_entry_info(entry: str) -> AudioInfo:
    """Read the header of an entry's audio, as Kaldi's get_utt2dur.sh does.

    Raises:
        ValueError: see `open_audio`; or there are no samples.
    """
    path = file_of_entry(entry)
    if path is not None:
        return read_info(path)
    with open_audio(entry) as file:
        return file.info


def open_audio(entry: str) -> AudioFile:
    """Open a file, audio in an archive, or a command's output, at the channel of the entry.

    Output of a command is held in memory.

    Raises:
        ValueError: the audio cannot be decoded, or the command fails.
    """
    path = file_of_entry(entry)
    if path is not None:
        return open_file(path, channel_of_entry(entry))
    archived = archive_of_entry(entry)
    if not archived:
        return AudioFile(run_command(entry))
    try:
        return AudioFile(find_archived(*archived))
    except OSError as error:
        raise ValueError(explain(error)) from error


def open_file(path: Path, channel: int = 0) -> AudioFile:
    """Open a file at a channel of it, from 0; see `open_audio`."""
    if path.suffix.lower() in FFMPEG_SUFFIXES:
        return AudioFile(run_command(ffmpeg_entry(str(path))), channel)
    return AudioFile(path, channel)


def run_command(entry: str) -> bytes:
    """Run the command of an entry in a shell, as Kaldi does, and return its output.

    Raises:
        ValueError: the command fails or prints nothing; with the last line of standard error.
    """
    command = entry.removesuffix("|")
    result = subprocess.run(
        ["bash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if result.returncode == 0 and result.stdout:
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
    """Read the entry's channel, on the scale of 16-bit integers, at `sampling_rate`.

    That is the first, if the entry chooses none: as Kaldi does with `--channel=-1
    --allow-downsample --allow-upsample`.

    Args:
        start, end: seconds of a segment; see `segment_bounds`.

    Returns:
        float32 samples in -32768..32767, shape (num_samples,), and the header of the recording.

    Raises:
        ValueError: the audio cannot be decoded, or holds no such segment.
    """
    with open_audio(entry) as file:
        return read_samples(file, sampling_rate, start, end), file.info


def read_samples(
    file: AudioFile, sampling_rate: int, start: float = 0.0, end: float | None = None
) -> np.ndarray:
    """Read the channel of an open file, or a segment of it, as `load_audio` does.

    Args:
        start, end: seconds; see `segment_bounds`.

    Raises:
        ValueError: there are no such samples, they cannot be decoded, or are no sound.
    """
    pieces = list(read_pieces(file, sampling_rate, start, end))
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def read_pieces(
    file: AudioFile, sampling_rate: int, start: float = 0.0, end: float | None = None
) -> Iterator[np.ndarray]:
    """Read the same in pieces of a few seconds.

    They join without a seam, also where the sampling rate is changed.
    """
    pieces = _decode_pieces(file, start, end)
    if file.samplerate != sampling_rate:
        pieces = resample_pieces(pieces, file.samplerate, sampling_rate)
    for piece in pieces:
        yield piece * np.float32(32768)


def _decode_pieces(file: AudioFile, start: float, end: float | None) -> Iterator[np.ndarray]:
    if file.channel >= file.channels:
        raise ValueError(f"no channel {file.channel + 1}: it has {file.channels}")
    first, last = segment_bounds(file.samplerate, file.claimed, start, end)
    reached = first
    for block in file.blocks(first, last):
        samples = block[:, file.channel]
        if not (samples.min() > -LOUDEST and samples.max() < LOUDEST):  # refuses NaN too
            raise ValueError("samples that are not finite numbers, or far beyond full scale")
        yield samples
        reached += len(block)
    if reached < last:  # the file ends before its header says
        if file.frames:
            segment_bounds(file.samplerate, file.frames, start, end)
        if reached == first:
            raise ValueError("no samples")


def segment_bounds(rate: int, num_samples: int, start: float, end: float | None) -> tuple[int, int]:
    """Return the first sample of a segment and the one after its last, as extract-segments does.

    A segment may end up to `MAX_OVERSHOOT` after the recording: then it is cut there.

    Args:
        rate, num_samples: of the recording.
        start, end: seconds; without an end, up to that of the recording.

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
