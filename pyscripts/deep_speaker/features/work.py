"""The work of stage 1: recordings cut into shards, and those computed that are missing."""

import logging
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from deep_speaker.clusters.options import Cluster
from deep_speaker.config import Experiment
from deep_speaker.features.cutting import choose_size, count_recordings, cut
from deep_speaker.features.inputs import accepted_sums, note_states
from deep_speaker.features.recordings import Recording
from deep_speaker.features.shards import Shard, ark_names, write_shard
from deep_speaker.system.code import code_sum
from deep_speaker.system.durability import full_disk_told
from deep_speaker.system.processes import map_in_processes
from deep_speaker.system.shards import Shards, Whole, free_numbers
from deep_speaker.system.wanted import Wanted

CODE = ("features", "kaldi")  # the rooms whose code decides what a shard holds


class Told(NamedTuple):
    """What a process tells of a shard: its record has the rest.

    Attributes:
        whole: None where no utterance has features, and nothing is kept.
        tried: the number of utterances.
    """

    number: int
    whole: Whole | None
    tried: int
    bad: dict[str, str]
    silent: dict[str, tuple[int, ...]]
    notices: Counter[str]


@dataclass
class Outcome:
    """What is made of a data directory.

    Attributes:
        found: the shards that were whole and current before, by number.
        shards: these and the new ones.
        recordings, utterances: how many the directory has.
        bad, silent, notices: see `Shard`.
    """

    found: dict[int, Whole]
    shards: dict[int, Whole]
    recordings: int = 0
    utterances: int = 0
    bad: dict[str, str] = field(default_factory=dict)
    silent: dict[str, tuple[int, ...]] = field(default_factory=dict)
    notices: Counter[str] = field(default_factory=Counter)


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
    wanted: Wanted,
    folder: Path,
    experiment: Experiment,
    num_jobs: int,
    cluster: Cluster | None = None,
) -> Outcome:
    """Compute the shards of a data directory that are missing.

    How recordings are cut into shards depends on nothing but the tables: after an interruption, the
    missing ones get the same recordings and the same numbers again.
    """
    found = work.find(wanted)
    outcome = Outcome(found, dict(found))
    bad = _recall(work, wanted, outcome)

    def is_new(key: str) -> bool:
        return key not in bad and wanted.lacks(key)

    counts = count_recordings(folder, is_new, bad.__contains__)
    outcome.recordings, outcome.utterances = counts.recordings, counts.utterances
    size = choose_size(counts)
    num_new, num_again = -(-counts.new // size), -(-counts.bad // size)
    if found:
        total = len(found) + num_new + num_again
        logging.info("%s: %d of %d shards are whole and current", work.folder, len(found), total)
    if not counts.missing:
        return outcome
    work.begin()
    parts = chain(cut(folder, is_new, size), cut(folder, bad.__contains__, size))
    jobs = zip(free_numbers(found), parts, strict=False)
    write = partial(make_shard, work, experiment)
    with tqdm(total=counts.missing, desc="features", unit="utt", disable=None, leave=False) as bar:
        here = partial(map_in_processes, num_jobs=min(num_jobs, num_new + num_again))
        results = (cluster.map if cluster else here)(write, jobs)
        for count, told in enumerate(results, 1):
            if told.whole:
                outcome.shards[told.number] = told.whole
            outcome.bad |= told.bad
            outcome.silent |= told.silent
            if count <= num_new:  # the shard that others were bad in tells of their form
                outcome.notices += told.notices
            bar.update(told.tried)
    return outcome


def _recall(work: Shards[Shard], wanted: Wanted, outcome: Outcome) -> set[str]:
    """Note what the shards found tell, and return the bad utterances, which are tried again."""
    bad: set[str] = set()
    for whole in outcome.found.values():
        covers, made = work.read(whole, wanted)
        outcome.silent |= {key: made.silent[key] for key in made.silent.keys() & covers}
        outcome.notices += made.notices
        bad |= made.bad.keys()
    return set(filter(wanted.lacks, bad))


def make_shard(
    work: Shards[Shard], experiment: Experiment, job: tuple[int, list[Recording]]
) -> Told:
    """Compute a shard and keep it; without a good utterance there is nothing to keep."""
    number, recordings = job
    note_states(recordings)
    whole = None
    with full_disk_told(work.partial), work.writing(number) as folder:
        shard = write_shard(folder, experiment, number, recordings)
        if shard.num_frames:
            names = list(ark_names(number).values())
            whole = work.keep(number, accepted_sums(recordings, shard), names, shard, folder)
    tried = sum(len(recording.utterances) for recording in recordings)
    return Told(number, whole, tried, shard.bad, shard.silent, shard.notices)
