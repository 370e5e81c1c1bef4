"""Stage 1: features, voice activity and normalisation statistics of a data directory, as arks."""

import logging
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deep_speaker import features, manifests, trials, vad
from deep_speaker.archives import ArchiveWriter, write_scp
from deep_speaker.audio import AudioInfo, info_of, open_audio, read_samples
from deep_speaker.bad_items import check_bad_items
from deep_speaker.config import Experiment
from deep_speaker.data_dir import Segment, iterate_segments, remove_utterances
from deep_speaker.files import replacing_directory, replacing_file
from deep_speaker.parallel import map_in_processes
from deep_speaker.tables import read_optional_table, read_table, write_table
from deep_speaker.validation import validate_data_dir

ARCHIVES = {"feats": "feats.scp", "vad": "vad.scp", "utt_cmvn": "utt_cmvn.scp"}
SILENT = "silent: no voiced frame"


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


def compute_data_dir(folder: Path, experiment: Experiment, num_jobs: int) -> None:
    """Write feats.scp, vad.scp, utt_cmvn.scp and utt2num_frames of a data directory.

    utt_cmvn.scp holds, per utterance, what Kaldi's compute-cmvn-stats gives for its voiced
    frames: a matrix of two rows, (sum..., count) and (sum of squares..., 0).

    Utterances that cannot be decoded, are shorter than a frame, or hold no voiced frame are
    listed in `bad_utterances` and leave the directory's tables, trials and manifests.

    Raises:
        ValueError: too many are bad (see `check_bad_items`), or most are silent; nothing is
            changed then.
    """
    recordings = read_recordings(folder)
    num_jobs = min(num_jobs, len(recordings))
    parts = [recordings[job::num_jobs] for job in range(num_jobs)]
    with replacing_directory(folder / "fbank") as partial_folder:
        write = partial(_write_shard, partial_folder, folder / "fbank", experiment)
        shards = list(map_in_processes(write, enumerate(parts, 1), num_jobs))
        unwanted = _report(folder, shards, recordings)
        for scp in ARCHIVES.values():  # they point into the arks that are replaced now
            (folder / scp).unlink(missing_ok=True)
    _write_tables(folder, shards, experiment)
    num_frames = sum(sum(shard.num_frames.values()) for shard in shards)
    logging.info(
        "%s: features of %d utterances, %.2f h",
        folder,
        sum(len(shard.num_frames) for shard in shards),
        num_frames * experiment.features.frame_shift_ms / 3.6e6,
    )
    if unwanted:  # wav.scp last: an interrupted removal is then made good by the next run
        trials.remove_utterances(folder, unwanted)
        manifests.remove_utterances(folder, unwanted)
        remove_utterances(folder, unwanted)
    manifests.write_features(folder, experiment.features)
    validate_data_dir(folder)


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


def _write_shard(
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
    filterbanks, log_energies = features.compute_filterbanks(samples, experiment.features)
    if not len(filterbanks):
        raise ValueError(f"too short: {len(samples)} samples are less than one frame")
    if not np.isfinite(filterbanks).all():
        raise ValueError("samples that are not finite numbers")
    return filterbanks, vad.detect_voice(log_energies, experiment.voice_activity)


def cmvn_statistics(frames: np.ndarray) -> np.ndarray:
    """Sums and sums of squares of frames, in the form of Kaldi's CMVN statistics.

    Args:
        frames: shape (frames, bins).

    Returns:
        float64, shape (2, bins + 1).
    """
    statistics = np.zeros((2, frames.shape[1] + 1))
    statistics[0, :-1] = frames.sum(axis=0, dtype=np.float64)
    statistics[0, -1] = len(frames)
    statistics[1, :-1] = np.einsum("ij,ij->j", frames, frames, dtype=np.float64)
    return statistics


def _notices(info: AudioInfo, sampling_rate: int) -> list[str]:
    notices = []
    if info.sampling_rate != sampling_rate:
        notices.append(f"resampled from {info.sampling_rate} to {sampling_rate} Hz")
        if info.sampling_rate < sampling_rate:
            notices[-1] += f" (nothing above {info.sampling_rate // 2} Hz in them)"
    if info.num_channels > 1:
        notices.append(f"have {info.num_channels} channels, the first is used, as Kaldi does")
    return notices


def _report(folder: Path, shards: list[Shard], recordings: list[Recording]) -> set[str]:
    """Log the notices; list and log the utterances that leave, and return them."""
    notices = sum((shard.notices for shard in shards), Counter[str]())
    for notice, count in sorted(notices.items()):
        logging.info("%s: %d of %d files %s", folder, count, len(recordings), notice)
    num_cut = sum(shard.num_cut for shard in shards)
    if num_cut:
        logging.info("%s: %d segments end after their recording, and are cut", folder, num_cut)
    bad = dict(sorted(item for shard in shards for item in shard.bad.items()))
    silent = dict.fromkeys((key for shard in shards for key in shard.silent), SILENT)
    listed = folder / "bad_utterances"
    # Those that an earlier run left out are no longer in the tables, and stay listed.
    keys = {key for recording in recordings for key, _ in recording.utterances}
    earlier = {k: reason for k, reason in read_optional_table(listed).items() if k not in keys}
    if earlier or bad or silent:
        write_table(listed, earlier | bad | silent)
    else:
        listed.unlink(missing_ok=True)
    remedy = f"mend or remove the files listed in {listed}, then run stage 0"
    check_bad_items(bad, len(keys), "utterances", remedy)
    _check_silent(folder, len(silent), len(keys))
    if (folder / "segments").is_file():  # an interrupted removal may have got no further than these
        return bad.keys() | silent.keys() | earlier.keys()
    return bad.keys() | silent.keys()


def _check_silent(folder: Path, num_silent: int, total: int) -> None:
    """Log how many utterances are silent; refuse a majority, which is no fault of the files."""
    if 2 * num_silent > total:
        raise ValueError(
            f"{folder}: {num_silent} of {total} utterances are silent: a wrong level of the "
            "recordings, or a too high energy_threshold or energy_mean_scale of voice_activity "
            "in the config"
        )
    if num_silent:
        logging.warning(
            "%s: %d of %d utterances are silent and left out, see bad_utterances",
            folder, num_silent, total,
        )  # fmt: skip


def _write_tables(folder: Path, shards: list[Shard], experiment: Experiment) -> None:
    for name, scp in ARCHIVES.items():
        entries = {key: entry for shard in shards for key, entry in shard.scps[name].items()}
        write_scp(folder / scp, entries)
    num_frames = {key: count for shard in shards for key, count in shard.num_frames.items()}
    write_table(folder / "utt2num_frames", num_frames)
    with replacing_file(folder / "frame_shift") as file:
        file.write(f"{experiment.features.frame_shift_ms / 1000:g}\n")
    write_options(folder, experiment)


def write_options(folder: Path, experiment: Experiment) -> None:
    """Write conf/ of a data directory: vad.conf, and the file of this front end alone."""
    name, text = features.options_file(experiment.features)
    for other in features.OPTION_FILES:
        if other != name:
            (folder / "conf" / other).unlink(missing_ok=True)
    options = {name: text, "vad.conf": vad.kaldi_options(experiment.voice_activity)}
    for name, text in options.items():
        with replacing_file(folder / "conf" / name) as file:
            file.write(text)
