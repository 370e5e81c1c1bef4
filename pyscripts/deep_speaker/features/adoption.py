"""Features that Kaldi computed: the rest of what stages 2 to 6 need of a data directory."""

import logging
import math
from functools import partial
from pathlib import Path

import numpy as np

from deep_speaker.config import Experiment, KaldiFilterbank
from deep_speaker.corpora import manifest_lines
from deep_speaker.features.extraction import remove_utterances, write_options
from deep_speaker.features.kaldi_conf import check_conf
from deep_speaker.features.normalisation import cmvn_sums
from deep_speaker.features.origins import note_features
from deep_speaker.features.shards import Shard
from deep_speaker.features.silence import SILENT
from deep_speaker.kaldi.archives import ArchiveTable, ArchiveWriter, write_scp
from deep_speaker.kaldi.tables import iterate_keys, iterate_table, read_optional_table, write_table
from deep_speaker.system.files import read_utf8, replacing_directory, replacing_file
from deep_speaker.system.origins import RECORD
from deep_speaker.system.processes import map_in_processes
from deep_speaker.validation.data_dirs import validate_data_dir

ADOPTED = "adopted"  # the folder of the arks that are written here
WRITTEN = ("utt_cmvn.scp", "utt2num_frames")  # always, whatever an earlier stage 1 left
EDGE_FRAMES = 3  # by which the ends of an utterance may change their number, as in Kaldi


def adopt_data_dir(folder: Path, experiment: Experiment, num_jobs: int) -> None:
    """Write what a data directory whose feats.scp is Kaldi's lacks for stages 2 to 6.

    utt_cmvn.scp and utt2num_frames anew; vad.scp, utt2dur and frame_shift where they are missing;
    conf/ as the experiment's, with Kaldi's own fbank.conf as kaldi_fbank.conf; the feature manifest
    if there are manifests. Utterances without a voiced frame leave the directory, as in stage 1.

    Raises:
        ValueError: the features are not the experiment's, as far as that can be told, or damaged;
            or vad.scp does not fit them. Nothing is changed then.
    """
    features = _check_options(folder, experiment)
    try:
        validate_data_dir(folder, WRITTEN)
    except ValueError as error:
        raise ValueError(f"{error} (utils/fix_data_dir.sh of Kaldi mends most)") from error
    keys = list(iterate_keys(folder / "feats.scp"))
    num_jobs = min(num_jobs, len(keys))
    parts = [keys[job::num_jobs] for job in range(num_jobs)]
    keep_vad = _has_own_vad(folder)
    with replacing_directory(folder / ADOPTED) as scratch:
        work = partial(_write_shard, folder, scratch, features.num_bins, keep_vad)
        shards = list(map_in_processes(work, enumerate(parts, 1), num_jobs))
        num_frames = {key: count for shard in shards for key, count in shard.num_frames.items()}
        silent = {key for shard in shards for key in shard.silent}
        if 2 * len(silent) > len(keys):
            raise ValueError(
                f"{folder}/vad.scp: {len(silent)} of {len(keys)} utterances have no voiced frame: "
                "compute it anew, or remove it"
            )
        _check_frame_shift(folder, num_frames, features)
        for name in shards[0].scps:  # they may point into what is replaced now
            (folder / f"{name}.scp").unlink(missing_ok=True)
        (folder / RECORD).unlink(missing_ok=True)
    _write_tables(folder, shards, num_frames, experiment)
    if not keep_vad:
        logging.warning("%s: no vad.scp of Kaldi: all frames count as voiced", folder)
    if silent:
        logging.warning(
            "%s: %d of %d utterances have no voiced frame and are left out, see bad_utterances",
            folder, len(silent), len(keys),
        )  # fmt: skip
        listed = folder / "bad_utterances"
        write_table(listed, read_optional_table(listed) | dict.fromkeys(silent, SILENT))
        remove_utterances(folder, silent)
    manifest_lines.write_features(folder, features)
    validate_data_dir(folder)
    note_features(folder)
    logging.info("%s: %d utterances of Kaldi's features", folder, len(keys) - len(silent))


def _check_options(folder: Path, experiment: Experiment) -> KaldiFilterbank:
    """Return the experiment's features, if the files beside feats.scp do not tell otherwise."""
    features = experiment.features
    if not isinstance(features, KaldiFilterbank):
        raise ValueError(
            f"features.front_end of the config is {features.front_end!r}: Kaldi computes those of "
            "'kaldi'; take such a config, or compute others in stage 1"
        )
    if not (folder / "feats.scp").is_file():
        raise ValueError(f"{folder}/feats.scp is missing: write it by Kaldi's steps/make_fbank.sh")
    conf = folder / "conf/fbank.conf"
    if conf.is_file():
        check_conf(conf, features)
    shift = folder / "frame_shift"
    if shift.is_file():
        seconds = read_utf8(shift).strip()
        if not math.isclose(1000 * _as_number(seconds), features.frame_shift_ms):
            raise ValueError(
                f"{shift}: {seconds!r} seconds, features.frame_shift_ms of the config is "
                f"{features.frame_shift_ms:g}: set it, or compute the features anew"
            )
    return features


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _has_own_vad(folder: Path) -> bool:
    """Tell whether a directory has voice activity that was not made up here before."""
    path = folder / "vad.scp"
    if not path.is_file():
        return False
    _, entry = next(iterate_table(path))
    return Path(entry.rpartition(":")[0]).parent != (folder / ADOPTED).absolute()


def _write_shard(
    folder: Path, scratch: Path, num_bins: int, keep_vad: bool, job: tuple[int, list[str]]
) -> Shard:
    """Check the features of some utterances, and write the arks that they lack."""
    number, keys = job
    feats = ArchiveTable(folder / "feats.scp", keys)
    vad = ArchiveTable(folder / "vad.scp", keys) if keep_vad else None
    names = ("utt_cmvn",) if keep_vad else ("utt_cmvn", "vad")
    writers = {
        name: ArchiveWriter(
            scratch / f"{name}.{number}.ark",
            (folder / ADOPTED / f"{name}.{number}.ark"),
        )
        for name in names
    }
    shard = Shard()
    for key in keys:
        frames = _read_frames(feats, key, num_bins)
        voiced = _read_voiced(vad, key, len(frames)) if vad else np.ones(len(frames), np.float32)
        shard.num_frames[key] = len(frames)
        if not voiced.any():
            shard.silent[key] = ()  # there is no audio to look for speech on another channel
        writers["utt_cmvn"].write(key, cmvn_sums(frames[voiced > 0]))
        if vad is None:
            writers["vad"].write(key, voiced)
    for name, writer in writers.items():
        with writer:
            shard.scps[name] = writer.scp
    return shard


def _read_frames(feats: ArchiveTable, key: str, num_bins: int) -> np.ndarray:
    frames = feats.rows(key)
    if frames.ndim != 2 or not len(frames) or frames.shape[1] != num_bins:
        raise ValueError(
            f"{feats.scp}: {key!r} is of shape {frames.shape}, the experiment's features have "
            f"{num_bins} columns: set features.num_mels of the config, or compute them anew with "
            f"--num-mel-bins={num_bins} --use-energy=false"
        )
    if not np.isfinite(frames).all():
        raise ValueError(f"{feats.scp}: {key!r} has NaN or infinite values: compute it anew")
    return frames


def _read_voiced(vad: ArchiveTable, key: str, num_frames: int) -> np.ndarray:
    voiced = vad.rows(key)
    if voiced.shape != (num_frames,) or not ((voiced == 0) | (voiced == 1)).all():
        raise ValueError(
            f"{vad.scp}: {key!r} has {voiced.shape[0]} decisions, not one of 0 and 1 for each of "
            f"its {num_frames} frames: compute vad.scp anew, or remove it"
        )
    return voiced


def _check_frame_shift(folder: Path, num_frames: dict[str, int], features: KaldiFilterbank) -> None:
    """Compare the number of frames with the length of the audio, if that is known."""
    durations = read_optional_table(folder / "utt2dur")
    if not durations:
        return
    seconds, frames = sum(map(float, durations.values())), sum(num_frames.values())
    expected = 1000 * seconds / features.frame_shift_ms
    if abs(frames - expected) > EDGE_FRAMES * len(num_frames):
        raise ValueError(
            f"{folder}: {frames} frames of {seconds:.1f} s (utt2dur), some "
            f"{1000 * seconds / frames:.3g} ms each, features.frame_shift_ms of the config is "
            f"{features.frame_shift_ms:g}: set it, or compute the features anew"
        )


def _write_tables(
    folder: Path, shards: list[Shard], num_frames: dict[str, int], experiment: Experiment
) -> None:
    """Write tables, and conf/ last, by which stages 2 to 6 tell that all is there."""
    for name in shards[0].scps:
        entries = {key: entry for shard in shards for key, entry in shard.scps[name].items()}
        write_scp(folder / f"{name}.scp", entries)
    write_table(folder / "utt2num_frames", num_frames)
    shift = experiment.features.frame_shift_ms / 1000
    if not (folder / "utt2dur").is_file():
        write_table(
            folder / "utt2dur", {key: f"{count * shift:.6f}" for key, count in num_frames.items()}
        )
    with replacing_file(folder / "frame_shift") as file:
        file.write(f"{shift:g}\n")
    conf = folder / "conf/fbank.conf"
    before = read_utf8(conf) if conf.is_file() else ""
    write_options(folder, experiment)
    if before and before != read_utf8(conf):
        with replacing_file(conf.with_name("kaldi_fbank.conf")) as file:
            file.write(before)
