"""Shards: the share of one process in stage 1, from recordings to arks."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deep_speaker.config import Experiment, PythonSpeechFeatures, Trimming
from deep_speaker.features import front_ends, voice_activity
from deep_speaker.features.normalisation import cmvn_sums
from deep_speaker.features.trimming import compute_trimmed
from deep_speaker.kaldi.archives import ArchiveWriter
from deep_speaker.kaldi.audio import AudioFile, open_audio, read_samples
from deep_speaker.kaldi.data_dir import iterate_segments
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import Segment

ARCHIVES = {"feats": "feats.scp", "vad": "vad.scp", "utt_cmvn": "utt_cmvn.scp"}


@dataclass(slots=True)
class Recording:
    """An entry of wav.scp, and its utterances with their segments; None: the whole recording."""

    entry: str
    utterances: list[tuple[str, Segment | None]]


@dataclass
class Shard:
    """The results of one process: entries of scp files, and notes on utterances.

    Attributes:
        scps: entries by name of `ARCHIVES`, then by utterance.
        num_frames: by utterance.
        bad: reasons by utterance.
        silent: utterances without a voiced frame, each with the other channels of its recording
            that have some, from 1.
        notices: numbers of recordings by what is worth knowing about their form.
        num_cut: segments that end after their recording.
    """

    scps: dict[str, dict[str, str]] = field(default_factory=dict)
    num_frames: dict[str, int] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    silent: dict[str, tuple[int, ...]] = field(default_factory=dict)
    notices: Counter[str] = field(default_factory=Counter)
    num_cut: int = 0


def read_recordings(folder: Path) -> list[Recording]:
    """Read the recordings of a data directory with their utterances, by `segments` if there."""
    entries = read_table(folder / "wav.scp")
    if not (folder / "segments").is_file():
        return [Recording(entry, [(key, None)]) for key, entry in entries.items()]
    recordings: dict[str, Recording] = {}
    for key, segment in iterate_segments(folder / "segments"):
        if segment.recording not in entries:
            raise ValueError(
                f"{folder}/segments: {key!r} lies in {segment.recording!r}, which wav.scp lacks: "
                "remove its line, or add the recording"
            )
        recording = Recording(entries[segment.recording], [])
        recordings.setdefault(segment.recording, recording).utterances.append((key, segment))
    return list(recordings.values())


def write_shard(
    partial_folder: Path,
    final_folder: Path,
    experiment: Experiment,
    job: tuple[int, list[Recording]],
) -> Shard:
    """Write the arks of a numbered share of the recordings; their entries name `final_folder`."""
    number, recordings = job
    shard = Shard()
    compress = experiment.features.compression == "two_byte"
    writers = {
        name: ArchiveWriter(
            partial_folder / f"{name}.{number}.ark",
            final_folder / f"{name}.{number}.ark",
            compress=compress and name == "feats",
        )
        for name in ARCHIVES
    }
    # Only the first job has a bar: all shares are alike. None: no bar without a terminal.
    hide = True if number > 1 else None
    total = sum(len(recording.utterances) for recording in recordings)
    with tqdm(total=total, desc="job 1", unit="utt", disable=hide, leave=False) as bar:
        for recording in recordings:
            _write_recording(recording, experiment, writers, shard)
            bar.update(len(recording.utterances))
    for name, writer in writers.items():
        with writer:
            shard.scps[name] = writer.scp
    return shard


def _write_recording(
    recording: Recording, experiment: Experiment, writers: dict[str, ArchiveWriter], shard: Shard
) -> None:
    """Open a recording, or run its command, once, and write the arks' parts of its utterances."""
    try:
        file = open_audio(recording.entry)
    except ValueError as error:
        shard.bad.update((key, str(error)) for key, _ in recording.utterances)
        return
    silent = []
    with file:
        shard.notices.update(_notices(file, experiment.features.sampling_rate))
        for key, segment in recording.utterances:
            try:
                frames, voiced = analyse_part(file, segment, experiment)
            except ValueError as error:
                shard.bad[key] = str(error)
                continue
            if not voiced.any():
                silent.append((key, segment))
                continue
            shard.num_frames[key] = len(frames)
            shard.num_cut += int((segment.end if segment else 0) * file.samplerate) > file.frames
            writers["feats"].write(key, frames)
            writers["vad"].write(key, voiced)
            writers["utt_cmvn"].write(key, cmvn_sums(frames[voiced > 0]))
        shard.silent.update(find_voiced_channels(recording.entry, silent, file, experiment))


def analyse_part(
    file: AudioFile, segment: Segment | None, experiment: Experiment
) -> tuple[np.ndarray, np.ndarray]:
    """Read a segment of an open recording, or all of it, and `analyse` it."""
    start, end = (segment.start, segment.end) if segment else (0.0, None)
    return analyse(read_samples(file, experiment.features.sampling_rate, start, end), experiment)


def find_voiced_channels(
    entry: str,
    silent: Sequence[tuple[str, Segment | None]],
    heard: AudioFile,
    experiment: Experiment,
) -> dict[str, tuple[int, ...]]:
    """Find, for silent utterances of a recording, the other channels that have a voiced frame.

    Args:
        entry: of the recording, which is opened anew for each channel, as some can only be read
            forward.
        heard: the recording, open at the channel on which they are silent.
    """
    found: dict[str, list[int]] = {key: [] for key, _ in silent}
    for channel in range(heard.channels if silent else 0):
        if channel == heard.channel:
            continue
        with suppress(ValueError), open_audio(entry) as file:  # the command may fail now
            file.channel = channel
            for key, segment in silent:
                with suppress(ValueError):  # a fault of another channel is none of this utterance's
                    if analyse_part(file, segment, experiment)[1].any():
                        found[key].append(channel + 1)
    return {key: tuple(channels) for key, channels in found.items()}


def analyse(samples: np.ndarray, experiment: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """Compute frames (frames, bins) and voice activity (frames,) of an utterance's samples.

    Raises:
        ValueError: the samples cannot be used, with the reason.
    """
    if not np.isfinite(samples).all():
        raise ValueError("samples that are not finite numbers")
    features, options = experiment.features, experiment.voice_activity
    if isinstance(options, Trimming):
        assert isinstance(features, PythonSpeechFeatures)  # `Experiment.check_trimming`
        return compute_trimmed(samples, features, options)
    frames, log_energies = front_ends.compute_frames(samples, features)
    if not len(frames):
        raise ValueError(f"too short: {len(samples)} samples are less than one frame")
    if not np.isfinite(frames).all():
        raise ValueError("samples that are not finite numbers")
    return frames, voice_activity.detect_voice(log_energies, options)


def _notices(file: AudioFile, sampling_rate: int) -> list[str]:
    notices = []
    if file.samplerate != sampling_rate:
        notices.append(f"resampled from {file.samplerate} to {sampling_rate} Hz")
        if file.samplerate < sampling_rate:
            notices[-1] += f" (with nothing above {file.samplerate // 2} Hz)"
    if file.channels > 1:
        used = f"channel {file.channel + 1}" if file.channel else "the first"
        by_default = "" if file.channel else ", as Kaldi does"
        notices.append(f"have {file.channels} channels, {used} is used{by_default}")
    return notices
