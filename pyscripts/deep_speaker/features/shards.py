"""A process's share of stage 1: recordings in, arks out."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deep_speaker.config import Experiment
from deep_speaker.features import front_ends, voice_activity
from deep_speaker.features.normalisation import cmvn_statistics
from deep_speaker.kaldi.archives import ArchiveWriter
from deep_speaker.kaldi.audio import info_of, open_audio, read_samples
from deep_speaker.kaldi.data_dir import iterate_segments
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import Segment
from deep_speaker.kaldi.wav_entries import AudioInfo

ARCHIVES = {"feats": "feats.scp", "vad": "vad.scp", "utt_cmvn": "utt_cmvn.scp"}


@dataclass(slots=True)
class Recording:
    """An entry of wav.scp, and its utterances with their segments; None stands for all of it."""

    entry: str
    utterances: list[tuple[str, Segment | None]]


@dataclass
class Shard:
    """What one process made of its share of the recordings."""

    scps: dict[str, dict[str, str]] = field(default_factory=dict)
    num_frames: dict[str, int] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    notices: Counter[str] = field(default_factory=Counter)
    num_cut: int = 0


def read_recordings(folder: Path) -> list[Recording]:
    """The recordings of a data directory with their utterances, those of `segments` if there."""
    entries = read_table(folder / "wav.scp")
    if not (folder / "segments").is_file():
        return [Recording(entry, [(key, None)]) for key, entry in entries.items()]
    recordings: dict[str, Recording] = {}
    for key, segment in iterate_segments(folder / "segments"):
        if segment.recording not in entries:
            raise ValueError(
                f"{folder}/segments: {key!r} lies in {segment.recording!r}, which wav.scp lacks"
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
    # The first job's bar stands for all: their shares are alike. None: no bar off a terminal.
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
    """Open a recording once, run its command once, and write what all its utterances give."""
    try:
        file = open_audio(recording.entry)
    except ValueError as error:
        shard.bad.update((key, str(error)) for key, _ in recording.utterances)
        return
    rate = experiment.features.sampling_rate
    with file:
        for key, segment in recording.utterances:
            start, end = (segment.start, segment.end) if segment else (0.0, None)
            try:
                samples = read_samples(file, rate, start, end)
                filterbanks, voiced = analyse(samples, experiment)
            except ValueError as error:
                shard.bad[key] = str(error)
                continue
            if not voiced.any():
                shard.silent.append(key)
                continue
            shard.num_frames[key] = len(filterbanks)
            shard.num_cut += int((end or 0) * file.samplerate) > file.frames
            writers["feats"].write(key, filterbanks)
            writers["vad"].write(key, voiced)
            writers["utt_cmvn"].write(key, cmvn_statistics(filterbanks[voiced > 0]))
        if any(key in shard.num_frames for key, _ in recording.utterances):
            shard.notices.update(_notices(info_of(file), rate))


def analyse(samples: np.ndarray, experiment: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """Filterbanks (frames, bins) and voice activity (frames,) of the samples of an utterance.

    Raises:
        ValueError: the samples cannot be used; the message says why.
    """
    filterbanks, log_energies = front_ends.compute_filterbanks(samples, experiment.features)
    if not len(filterbanks):
        raise ValueError(f"too short: {len(samples)} samples are less than one frame")
    if not np.isfinite(filterbanks).all():
        raise ValueError("samples that are not finite numbers")
    return filterbanks, voice_activity.detect_voice(log_energies, experiment.voice_activity)


def _notices(info: AudioInfo, sampling_rate: int) -> list[str]:
    notices = []
    if info.sampling_rate != sampling_rate:
        notices.append(f"resampled from {info.sampling_rate} to {sampling_rate} Hz")
        if info.sampling_rate < sampling_rate:
            notices[-1] += f" (nothing above {info.sampling_rate // 2} Hz in them)"
    if info.num_channels > 1:
        notices.append(f"have {info.num_channels} channels, the first is used, as Kaldi does")
    return notices
