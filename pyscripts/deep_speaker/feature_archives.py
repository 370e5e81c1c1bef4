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
from deep_speaker.audio import AudioInfo, load_audio
from deep_speaker.bad_items import check_bad_items
from deep_speaker.config import Experiment
from deep_speaker.data_dir import (
    read_optional_table,
    read_table,
    remove_utterances,
    validate_data_dir,
    write_table,
)
from deep_speaker.files import replacing_directory, replacing_file
from deep_speaker.parallel import map_in_processes

ARCHIVES = {"feats": "feats.scp", "vad": "vad.scp", "utt_cmvn": "utt_cmvn.scp"}


@dataclass
class Shard:
    """What one process made of its share of the utterances."""

    scps: dict[str, dict[str, str]] = field(default_factory=dict)
    num_frames: dict[str, int] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    notices: Counter[str] = field(default_factory=Counter)


def compute_data_dir(folder: Path, experiment: Experiment, num_jobs: int) -> None:
    """Write feats.scp, vad.scp, utt_cmvn.scp and utt2num_frames of a data directory.

    utt_cmvn.scp holds, per utterance, what Kaldi's compute-cmvn-stats gives for its voiced
    frames: a matrix of two rows, (sum..., count) and (sum of squares..., 0).

    Utterances that cannot be decoded, are shorter than a frame, or hold no voiced frame are
    listed in `bad_utterances` and leave the directory's tables, trials and manifests.

    Raises:
        ValueError: too many are bad (see `check_bad_items`); nothing is changed then.
    """
    wav_scp = read_table(folder / "wav.scp")
    num_jobs = min(num_jobs, len(wav_scp))
    parts = [list(wav_scp.items())[job::num_jobs] for job in range(num_jobs)]
    with replacing_directory(folder / "fbank") as partial_folder:
        write = partial(_write_shard, partial_folder, folder / "fbank", experiment)
        shards = list(map_in_processes(write, enumerate(parts, 1), num_jobs))
        bad = _report(folder, shards, len(wav_scp))
        for scp in ARCHIVES.values():  # they point into the arks that are replaced now
            (folder / scp).unlink(missing_ok=True)
    _write_tables(folder, shards, experiment)
    if bad:  # wav.scp last: an interrupted removal is then made good by the next run
        trials.remove_utterances(folder, set(bad))
        manifests.remove_utterances(folder, set(bad))
        remove_utterances(folder, set(bad))
    manifests.write_features(folder, experiment.features)
    validate_data_dir(folder)


def _write_shard(
    partial_folder: Path,
    final_folder: Path,
    experiment: Experiment,
    job: tuple[int, list[tuple[str, str]]],
) -> Shard:
    number, utterances = job
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
    for key, entry in tqdm(utterances, desc="job 1", unit="utt", disable=hide, leave=False):
        try:
            filterbanks, voiced, info = analyse(entry, experiment)
        except ValueError as error:
            shard.bad[key] = str(error)
            continue
        shard.num_frames[key] = len(filterbanks)
        shard.notices.update(_notices(info, experiment.features.sampling_rate))
        writers["feats"].write(key, filterbanks)
        writers["vad"].write(key, voiced)
        writers["utt_cmvn"].write(key, cmvn_statistics(filterbanks[voiced > 0]))
    for name, writer in writers.items():
        with writer:
            shard.scps[name] = writer.scp
    return shard


def analyse(entry: str, experiment: Experiment) -> tuple[np.ndarray, np.ndarray, AudioInfo]:
    """Filterbanks (frames, bins) and voice activity (frames,) of one entry of wav.scp.

    Raises:
        ValueError: the audio cannot be used; the message says why.
    """
    samples, info = load_audio(entry, experiment.features.sampling_rate)
    filterbanks, log_energies = features.compute_filterbanks(samples, experiment.features)
    if not len(filterbanks):
        raise ValueError(f"too short: {len(samples)} samples are less than one frame")
    if not np.isfinite(filterbanks).all():
        raise ValueError("samples that are not finite numbers")
    voiced = vad.detect_voice(log_energies, experiment.voice_activity)
    if not voiced.any():
        raise ValueError("silent: no voiced frame")
    return filterbanks, voiced, info


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


def _report(folder: Path, shards: list[Shard], total: int) -> dict[str, str]:
    """Log the notices; list, log and return the bad utterances."""
    notices = sum((shard.notices for shard in shards), Counter[str]())
    for notice, count in sorted(notices.items()):
        logging.info("%s: %d of %d files %s", folder, count, total, notice)
    bad = {key: reason for shard in shards for key, reason in sorted(shard.bad.items())}
    listed = folder / "bad_utterances"
    # Those that an earlier run left out are no longer in wav.scp, and stay listed.
    wav_scp = read_table(folder / "wav.scp")
    before = read_optional_table(listed)
    kept = {key: reason for key, reason in before.items() if key not in wav_scp}
    if kept or bad:
        write_table(listed, kept | bad)
    else:
        listed.unlink(missing_ok=True)
    remedy = f"mend or remove the files listed in {listed}, then run stage 0"
    check_bad_items(bad, total, "utterances", remedy)
    return bad


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
