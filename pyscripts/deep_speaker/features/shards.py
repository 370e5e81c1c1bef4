"""Shards of stage 1: what a process makes at a time, from some recordings to arks."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from deep_speaker.config import Experiment, PythonSpeechFeatures, Trimming
from deep_speaker.features import front_ends, voice_activity
from deep_speaker.features.normalisation import cmvn_sums
from deep_speaker.features.recordings import Recording, is_whole
from deep_speaker.features.trimming import compute_trimmed
from deep_speaker.kaldi.archives import ArchiveWriter
from deep_speaker.kaldi.audio import open_audio, read_pieces
from deep_speaker.kaldi.audio_bytes import UNKNOWN
from deep_speaker.kaldi.audio_files import AudioFile
from deep_speaker.kaldi.utterances import Segment

ARCHIVES = {"feats": "feats.scp", "vad": "vad.scp", "utt_cmvn": "utt_cmvn.scp"}


@dataclass
class Shard:
    """The results of a shard: entries of scp files, and notes on utterances.

    Attributes:
        scps: entries by name of `ARCHIVES`, then by utterance; here without the arks' folder.
        num_frames: by utterance.
        bad: reasons by utterance.
        silent: utterances without a voiced frame, each with the other channels of its recording
            that have some, from 1.
        notices: numbers of recordings by what is worth knowing about their form.
        decoded: samples and sampling rate, by recording.
    """

    scps: dict[str, dict[str, str]] = field(default_factory=dict)
    num_frames: dict[str, int] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    silent: dict[str, tuple[int, ...]] = field(default_factory=dict)
    notices: Counter[str] = field(default_factory=Counter)
    decoded: dict[str, tuple[int, int]] = field(default_factory=dict)


def write_shard(
    folder: Path, experiment: Experiment, number: int, recordings: Sequence[Recording]
) -> Shard:
    """Write the arks of a shard of the recordings."""
    shard = Shard()
    compress = experiment.features.compression == "two_byte"
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(
                ArchiveWriter(folder / file, Path(file), compress=compress and name == "feats")
            )
            for name, file in ark_names(number).items()
        }
        for recording in recordings:
            _write_recording(recording, experiment, writers, shard)
    for name, writer in writers.items():
        shard.scps[name] = {key: entry.rpartition("/")[2] for key, entry in writer.scp.items()}
    return shard


def ark_names(number: int) -> dict[str, str]:
    """Return the names of the arks of a shard, by name of `ARCHIVES`."""
    return {name: f"{name}.{number}.ark" for name in ARCHIVES}


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
                frames, voiced = _analyse_utterance(file, recording, segment, experiment)
            except ValueError as error:
                shard.bad[key] = str(error)
                continue
            if not voiced.any():
                silent.append((key, segment))
                continue
            shard.num_frames[key] = len(frames)
            writers["feats"].write(key, frames)
            writers["vad"].write(key, voiced)
            writers["utt_cmvn"].write(key, cmvn_sums(frames[voiced > 0]))
        used = any(key in shard.num_frames for key, _ in recording.utterances)
        if used and file.claimed < UNKNOWN:
            shard.decoded[recording.id] = (file.claimed, file.samplerate)
        shard.silent.update(_find_voiced_channels(file, recording, silent, experiment))


def _analyse_utterance(
    file: AudioFile, recording: Recording, segment: Segment | None, experiment: Experiment
) -> tuple[np.ndarray, np.ndarray]:
    """Analyse an utterance, or all of a recording, if stage 0 gave all of it to the segment."""
    rate = experiment.features.sampling_rate
    if segment is None:
        return analyse(read_pieces(file, rate), experiment)
    try:
        return analyse(read_pieces(file, rate, segment.start, segment.end), experiment)
    except ValueError:
        if not is_whole(recording, segment):
            raise
        return analyse(read_pieces(file, rate), experiment)


def _find_voiced_channels(
    file: AudioFile,
    recording: Recording,
    silent: Sequence[tuple[str, Segment | None]],
    experiment: Experiment,
) -> dict[str, tuple[int, ...]]:
    """Find, for silent utterances of an open recording, the other channels with a voiced frame."""
    found: dict[str, list[int]] = {key: [] for key, _ in silent}
    heard = file.channel
    for channel in range(file.channels if silent else 0):
        if channel == heard:
            continue
        file.channel = channel
        for key, segment in silent:
            with suppress(ValueError):  # a fault of another channel is none of this utterance's
                if _analyse_utterance(file, recording, segment, experiment)[1].any():
                    found[key].append(channel + 1)
    file.channel = heard
    return {key: tuple(channels) for key, channels in found.items()}


def analyse(pieces: Iterable[np.ndarray], experiment: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """Compute frames (frames, bins) and voice activity (frames,) of an utterance's samples.

    Args:
        pieces: see `front_ends.compute_in_pieces`.

    Raises:
        ValueError: the samples cannot be used, with the reason.
    """
    features, options = experiment.features, experiment.voice_activity
    if isinstance(options, Trimming):
        assert isinstance(features, PythonSpeechFeatures)  # `Experiment.check_trimming`
        frames, voiced = compute_trimmed(np.concatenate([*pieces]), features, options)
    else:
        frames, log_energies = front_ends.compute_in_pieces(pieces, features)
        voiced = voice_activity.detect_voice(log_energies, options)
    if not len(frames):
        raise ValueError("too short: less than one frame")
    if not np.isfinite(frames).all():
        raise ValueError("samples that are not finite numbers")
    return frames, voiced


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
