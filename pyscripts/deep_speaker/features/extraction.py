"""Stage 1: features, voice activity and CMVN sums of a data directory, as arks."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from deep_speaker.clusters.options import Cluster
from deep_speaker.config import AnyVoiceActivity, Experiment
from deep_speaker.config.stages import Stage
from deep_speaker.corpora import manifest_lines
from deep_speaker.features import front_ends, silence, voice_activity
from deep_speaker.features.inputs import LengthFinder, sum_inputs
from deep_speaker.features.origins import note_features
from deep_speaker.features.recordings import iterate_recordings
from deep_speaker.features.shards import ARCHIVES, Shard
from deep_speaker.features.work import Outcome, compute_shards, open_shards
from deep_speaker.kaldi import data_dir
from deep_speaker.kaldi.lengths import Lengths, correct_tables, open_durations
from deep_speaker.kaldi.tables import read_optional_table, write_table
from deep_speaker.system.bad_items import check_bad_items
from deep_speaker.system.files import replacing_file, replacing_files
from deep_speaker.system.origins import RECORD
from deep_speaker.system.sorting import sort_lines
from deep_speaker.system.wanted import Wanted
from deep_speaker.trials.removal import remove_from_trials
from deep_speaker.validation.data_dirs import validate_data_dir

# In the order in which they take their names: without the last, stage 1 has not ended.
TABLES = ("utt2num_frames", "vad.scp", "utt_cmvn.scp", "feats.scp")


def compute_data_dir(
    folder: Path, experiment: Experiment, num_jobs: int, cluster: Cluster | None = None
) -> None:
    """Write feats.scp, vad.scp, utt_cmvn.scp and utt2num_frames of a data directory.

    utt_cmvn.scp holds the CMVN sums of each utterance's voiced frames, as Kaldi's
    compute-cmvn-stats computes them: rows (sum..., count) and (sum of squares..., 0).

    Where an earlier run was interrupted, or had the same inputs and options, the shards that it has
    made are kept.

    Utterances that cannot be decoded, are shorter than a frame, or have no voiced frame are listed
    in `bad_utterances`, and leave the directory's tables, trials and manifests. Where recordings
    hold more or less than the tables say, tables and manifests are corrected.

    Raises:
        ValueError: too many are bad (see `check_bad_items`), or most are silent; nothing is
            changed then.
    """
    work = open_shards(folder, experiment)
    wanted = Wanted(sum_inputs(folder, num_jobs))
    outcome = compute_shards(work, wanted, folder, experiment, num_jobs, cluster)
    unwanted = _report(folder, outcome, experiment.voice_activity)
    tables = [folder / name for name in TABLES]
    with replacing_files(*tables) as files:
        made = (work.read(whole, wanted) for whole in outcome.shards.values())
        lengths, num_frames = _write_tables(folder, files, made)
        work.gather(outcome.found)  # if the disk is full for either, the old ones stay
        for table in tables:  # these point into the arks that are replaced now
            table.unlink(missing_ok=True)
        (folder / RECORD).unlink(missing_ok=True)
        work.finish(outcome.found)
        write_options(folder, experiment)
    log_corrections(folder, lengths, outcome.recordings)
    logging.info(
        "%s: features of %d utterances, %.2f h",
        folder,
        outcome.utterances - len(outcome.bad) - len(outcome.silent),
        num_frames * experiment.features.frame_shift_ms / 3.6e6,
    )
    manifest_lines.correct_manifests(folder, lengths)
    correct_tables(folder, lengths)
    if unwanted:
        remove_utterances(folder, unwanted)
    manifest_lines.write_features(folder, experiment.features)
    validate_data_dir(folder)
    note_features(folder)


def remove_utterances(folder: Path, unwanted: set[str]) -> None:
    """Drop utterances from the trials, manifests and tables of a data directory."""
    remove_from_trials(folder, unwanted)
    manifest_lines.remove_from_manifests(folder, unwanted)
    # wav.scp last: the next run then completes an interrupted removal
    data_dir.remove_from_tables(folder, unwanted)


def _report(folder: Path, outcome: Outcome, options: AnyVoiceActivity) -> set[str]:
    """Log the notices; list, log and return the utterances to remove."""
    for notice, count in sorted(outcome.notices.items()):
        logging.info("%s: %d of %d recordings %s", folder, count, outcome.recordings, notice)
    bad = dict(sorted(outcome.bad.items()))
    found = dict(sorted(outcome.silent.items()))
    silent = silence.leave_out_taken(found, iterate_recordings(folder))
    listed = folder / "bad_utterances"
    # Utterances that an earlier run removed are no longer in the tables, and stay listed.
    earlier = read_optional_table(listed)
    for recording in iterate_recordings(folder) if earlier else ():
        for key, _ in recording.utterances:
            earlier.pop(key, None)
    if earlier or bad or silent:
        reasons = {key: silence.describe(channels) for key, channels in silent.items()}
        write_table(listed, earlier | bad | reasons)
    else:
        listed.unlink(missing_ok=True)
    remedy = f"mend or remove the files listed in {listed}, then {Stage.PREPARATION.again}"
    check_bad_items(bad, outcome.utterances, "utterances", remedy)
    silence.check_silent(folder, silent, outcome.utterances, options)
    if (folder / "segments").is_file():  # an interrupted removal may have stopped behind these
        return bad.keys() | silent.keys() | earlier.keys()
    return bad.keys() | silent.keys()


def log_corrections(folder: Path, lengths: Lengths, num_recordings: int) -> None:
    """Log where tables and manifests are corrected to what is decoded."""
    if lengths.recordings:
        first = min(lengths.recordings)
        count, rate = lengths.recordings[first]
        claimed = float(open_durations(folder)[first])
        logging.warning(
            "%s: %d of %d recordings are shorter or longer than stage 0 found them, first %s with "
            "%.3f s instead of %.3f: tables and manifests are corrected",
            folder, len(lengths.recordings), num_recordings, first, count / rate, claimed,
        )  # fmt: skip
    if lengths.cut:
        cut = len(lengths.cut)
        logging.info("%s: %d segments end after their recording, and are cut", folder, cut)


def _write_tables(
    folder: Path, files: Sequence[IO[str]], shards: Iterable[tuple[list[str], Shard]]
) -> tuple[Lengths, int]:
    """Write the tables of all shards into the files of `TABLES`; a full disk ends it here.

    Args:
        shards: the keys of each that are wanted, and what is noted of it.

    Returns:
        Where the other tables tell other lengths, and the number of all frames.
    """
    place = f"{(folder / 'fbank').absolute()}/"
    lengths = LengthFinder(folder)
    num_frames, last, is_sorted = 0, "", True
    for covers, shard in shards:
        keys = sorted(key for key in covers if key in shard.num_frames)
        lengths.look(keys, shard)
        num_frames += sum(shard.num_frames[key] for key in keys)
        values: dict[str, Mapping[str, object]] = {TABLES[0]: shard.num_frames}
        values |= {scp: shard.scps[name] for name, scp in ARCHIVES.items()}
        for scp, file in zip(TABLES, files, strict=True):
            before = place if scp != TABLES[0] else ""
            file.writelines(f"{key} {before}{values[scp][key]}\n" for key in keys)
        is_sorted &= not keys or last < keys[0]
        last = keys[-1] if keys else last
    for file in files:
        file.flush()
        if not is_sorted:  # segments of several speakers, or shards that were made anew
            sort_lines(Path(file.name))
    return lengths.found, num_frames


def write_options(folder: Path, experiment: Experiment) -> None:
    """Write frame_shift and conf/ of a data directory: vad.conf, and the front end's file alone."""
    with replacing_file(folder / "frame_shift") as file:
        file.write(f"{experiment.features.frame_shift_ms / 1000:g}\n")
    name, text = front_ends.options_file(experiment.features)
    for other in front_ends.OPTION_FILES:
        if other != name:
            (folder / "conf" / other).unlink(missing_ok=True)
    options = {name: text, "vad.conf": voice_activity.vad_options(experiment.voice_activity)}
    for name, text in options.items():
        with replacing_file(folder / "conf" / name) as file:
            file.write(text)
