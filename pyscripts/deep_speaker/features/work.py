"""The work of stage 1: recordings cut into shards, and those computed that are missing."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from deep_speaker.clusters.options import Cluster
from deep_speaker.config import Experiment
from deep_speaker.features.inputs import accepted_sums
from deep_speaker.features.shards import Recording, Shard, ark_names, write_shard
from deep_speaker.system.code import code_sum
from deep_speaker.system.durability import full_disk_told
from deep_speaker.system.processes import map_in_processes
from deep_speaker.system.shards import Shards, Whole, free_numbers

CODE = ("features", "kaldi")  # the rooms whose code decides what a shard holds
ENOUGH = 64  # shards, for many processes to share
SHORTEST, LONGEST = 20.0, 5 * 3600.0  # seconds of a shard; the longest takes a minute or a few
TYPICAL = 8.0  # seconds of a recording, where no table tells


def open_shards(folder: Path, experiment: Experiment) -> Shards[Shard]:
    """Open the shards of a data directory by an experiment; their arks lie in fbank/."""
    options = {
        "features": experiment.features.model_dump(mode="json"),
        "voice_activity": experiment.voice_activity.model_dump(mode="json"),
        "code": code_sum(CODE),
    }
    return Shards(folder / "fbank", Shard, options)


def compute_shards(
    work: Shards[Shard],
    found: dict[int, Whole[Shard]],
    recordings: Sequence[Recording],
    experiment: Experiment,
    num_jobs: int,
    cluster: Cluster | None = None,
) -> list[Shard]:
    """Compute the shards that are not found, and return all.

    How recordings are cut into shards depends on nothing but the tables: after an interruption, the
    missing ones get the same recordings and the same numbers again.
    """
    new, again = _cut_missing(found, recordings)
    parts = new + again
    kept = [_keep_covered(whole) for whole in found.values()]
    if kept:
        total = len(kept) + len(parts)
        logging.info("%s: %d of %d shards are whole and current", work.folder, len(kept), total)
    if not parts:
        return kept
    work.begin()
    jobs = zip(free_numbers(found), parts, strict=False)
    made: list[Shard] = []
    total = sum(len(recording.utterances) for part in parts for recording in part)
    with tqdm(total=total, desc="features", unit="utt", disable=None, leave=False) as bar:
        write = partial(make_shard, work, experiment)
        here = partial(map_in_processes, num_jobs=min(num_jobs, len(parts)))
        for shard in (cluster.map if cluster else here)(write, jobs):
            if len(made) >= len(new):
                shard.notices.clear()  # the shard that they were bad in tells of their form
            made.append(shard)
            bar.update(len(shard.num_frames) + len(shard.bad) + len(shard.silent))
    return kept + made


def _keep_covered(whole: Whole[Shard]) -> Shard:
    """Return a shard without what is no longer in the tables, and without what is tried again."""
    made, covers = whole.made, whole.covers
    return Shard(
        scps={
            name: {key: entry for key, entry in entries.items() if key in covers}
            for name, entries in made.scps.items()
        },
        num_frames={key: count for key, count in made.num_frames.items() if key in covers},
        silent={key: channels for key, channels in made.silent.items() if key in covers},
        notices=made.notices,
        decoded=made.decoded,
    )


def _cut_missing(
    found: dict[int, Whole[Shard]], recordings: Sequence[Recording]
) -> tuple[list[list[Recording]], list[list[Recording]]]:
    """Cut what the shards found do not cover: the new, and the bad, which are tried again."""
    covered = {key for whole in found.values() for key in whole.covers}
    bad = {key for whole in found.values() for key in whole.made.bad} - covered
    size = choose_size(recordings)
    wanted = {key for recording in recordings for key, _ in recording.utterances} - covered
    return _cut(recordings, wanted - bad, size), _cut(recordings, wanted & bad, size)


def _cut(recordings: Sequence[Recording], keys: set[str], size: int) -> list[list[Recording]]:
    left = [some for recording in recordings if (some := _restrict(recording, keys)).utterances]
    return [left[i : i + size] for i in range(0, len(left), size)]


def _restrict(recording: Recording, keys: set[str]) -> Recording:
    utterances = [item for item in recording.utterances if item[0] in keys]
    return Recording(recording.id, recording.entry, recording.seconds, utterances, recording.state)


def choose_size(recordings: Sequence[Recording]) -> int:
    """Choose how many recordings make a shard, by how long they are on average."""
    known = [recording.seconds for recording in recordings if recording.seconds]
    mean = sum(known) / len(known) if known else TYPICAL
    seconds = min(max(mean * len(recordings) / ENOUGH, SHORTEST), LONGEST)
    return max(1, round(seconds / mean))


def make_shard(
    work: Shards[Shard], experiment: Experiment, job: tuple[int, list[Recording]]
) -> Shard:
    """Compute a shard and keep it; without a good utterance there is nothing to keep."""
    number, recordings = job
    with full_disk_told(work.partial), work.writing(number) as folder:
        shard = write_shard(folder, experiment, number, recordings)
        if shard.num_frames:
            names = list(ark_names(number).values())
            work.keep(number, accepted_sums(recordings, shard), names, shard, folder)
    return shard
