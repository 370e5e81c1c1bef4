"""Extraction: the embeddings of a data directory by a checkpoint."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from deep_speaker.clusters.options import Cluster
from deep_speaker.config import Experiment
from deep_speaker.config.made import INPUT_SECTIONS, sections_of
from deep_speaker.config.stages import Stage, stages_again
from deep_speaker.corpora.speaker_splits import find_originals, original_speaker, split_for_scoring
from deep_speaker.embeddings.inference import embed_in_batches, embed_pieces, for_inference
from deep_speaker.embeddings.pieces import PieceReader
from deep_speaker.embeddings.vector_shards import (
    VectorShard,
    count_missing,
    cut_missing,
    join_shards,
    sum_inputs,
    write_shard,
)
from deep_speaker.embeddings.xvectors import replacing_xvectors
from deep_speaker.features.origins import tables_heard
from deep_speaker.features.samples import SampleSource
from deep_speaker.features.source import FeatureSource, check_features
from deep_speaker.kaldi.mapped_tables import MappedTable
from deep_speaker.networks.checkpoints import Checkpoint, load_checkpoint, load_network
from deep_speaker.networks.pace import Precision
from deep_speaker.networks.speaker_network import EmbeddingNetwork
from deep_speaker.system.code import code_sum
from deep_speaker.system.durability import full_disk_told
from deep_speaker.system.processes import ITEMS_AHEAD, Workers
from deep_speaker.system.shards import Shards, Whole, free_numbers
from deep_speaker.system.sums import content_sum
from deep_speaker.system.wanted import Wanted

CODE = ("embeddings", "features", "kaldi", "networks")  # the rooms whose code decides embeddings
Job = tuple[int, dict[str, str]]  # a shard's number, its utterances and the sums of their inputs
CPU = torch.device("cpu")
AT_ONCE = 8  # utterances that a worker takes, as each message takes time; fewer of a small set


@dataclass(frozen=True)
class Extractor:
    """A checkpoint and what it embeds; small, as it travels to workers with their utterances."""

    checkpoint: Path
    data_dir: Path
    experiment: Experiment
    device: torch.device = CPU
    precision: Precision = "float32"


@lru_cache(maxsize=1)
def open_extractor(extractor: Extractor) -> tuple[EmbeddingNetwork, PieceReader]:
    """Load the network and open the pieces; both are kept from one utterance to the next."""
    network, reader = load_extractor(extractor)
    return for_inference(network, extractor.device, extractor.precision), reader


def load_extractor(extractor: Extractor) -> tuple[EmbeddingNetwork, PieceReader]:
    """Load the network as it was trained, and open the pieces."""
    network = load_network(extractor.checkpoint, extractor.experiment)
    source = FeatureSource(extractor.data_dir, extractor.experiment)
    return network, PieceReader(source, extractor.experiment, network.fewest_frames)


def open_shards(extractor: Extractor, output: Path) -> Shards[VectorShard]:
    """Open the shards of an x-vector directory."""
    options = {
        "checkpoint": content_sum(extractor.checkpoint),
        "extraction": extractor.experiment.extraction.model_dump(mode="json"),
        "keeps_crops": keeps_crops(extractor.experiment),
        "device": extractor.device.type,
        "precision": extractor.precision,
        "code": code_sum(CODE),
    }
    return Shards(output, VectorShard, options)


def keeps_crops(experiment: Experiment) -> bool:
    """Tell whether a back end compares utterances crop by crop."""
    return "crop_distance" in experiment.scoring.backends


def extract(
    extractors: Mapping[Path, Extractor], num_jobs: int, cluster: Cluster | None = None
) -> None:
    """Embed data directories into x-vector directories; see `extract_one`.

    The same processes embed all: a network's convolutions are compiled for each length of
    utterances, and networks of one shape share what is compiled.

    Args:
        extractors: by output.
    """
    with Workers(num_jobs) as workers:
        for output, extractor in extractors.items():
            extract_one(extractor, output, workers, cluster)


def extract_one(
    extractor: Extractor, output: Path, workers: Workers, cluster: Cluster | None
) -> None:
    """Embed every utterance of a data directory into an x-vector directory.

    For the back end `crop_distance`, also write xvector_crops.scp: per utterance a matrix
    (num_crops, dim) of unit-length embeddings. Where an earlier call was interrupted, or had the
    same inputs and options, the shards that it has made are kept.
    """
    utt2spk = MappedTable(extractor.data_dir / "utt2spk")
    check_features(extractor.data_dir, extractor.experiment)
    checkpoint = load_checkpoint(extractor.checkpoint)
    check_unseen(checkpoint, extractor.data_dir, utt2spk)
    held_out = find_held_out(checkpoint, utt2spk)
    check_same_split(held_out, extractor)
    work = open_shards(extractor, output)
    wanted = Wanted(sum_inputs(extractor.data_dir, open_samples(extractor)))
    found = work.find(wanted)
    if found:
        total = len(found) + count_missing(wanted)
        logging.info("%s: %d of %d shards are whole and current", output, len(found), total)
    if wanted.missing:
        with full_disk_told(output.parent):
            jobs = list_jobs(found, wanted, utt2spk)
            make_shards(work, extractor, jobs, wanted, utt2spk, workers, cluster)
        found = work.find(wanted)
    made_of = [extractor.checkpoint, *tables_heard(extractor.data_dir)]
    settings = sections_of(extractor.experiment, *INPUT_SECTIONS, "extraction")
    with replacing_xvectors(output, made_of, settings) as partial:
        join_shards(work, found, wanted, partial, utt2spk, held_out)
    work.drop()


def open_samples(extractor: Extractor) -> SampleSource | None:
    """Open the samples of a data directory, if crops of those are embedded."""
    if extractor.experiment.extraction.method != "sample_crops":
        return None
    return SampleSource(extractor.data_dir, extractor.experiment.features.sampling_rate)


def make_shards(
    work: Shards[VectorShard],
    extractor: Extractor,
    jobs: Iterable[Job],
    wanted: Wanted,
    utterances: Iterable[str],
    workers: Workers,
    cluster: Cluster | None,
) -> None:
    """Write shards: each by a worker of the cluster, or one by one, whose utterances are shared."""
    work.begin()
    if cluster:
        made = cluster.map(partial(make_shard, work, extractor), jobs)
        total = count_missing(wanted)
        for _ in tqdm(made, total=total, unit="shard", disable=None, leave=False):
            pass
        return
    at_once = max(1, min(AT_ONCE, wanted.missing // (ITEMS_AHEAD * workers.num_jobs)))
    results = embed_parts(extractor, cut_missing(wanted, utterances), workers, at_once)
    bar = iter(tqdm(results, total=wanted.missing, unit="utt", disable=None, leave=False))
    for number, sums in jobs:
        some = islice(bar, len(sums))
        write_shard(work, number, sums, some, keeps_crops(extractor.experiment))


def list_jobs(
    found: Mapping[int, Whole], wanted: Wanted, utterances: Iterable[str]
) -> Iterator[Job]:
    """List the shards that are missing, by what is left of the numbers."""
    parts = cut_missing(wanted, utterances)
    for number, part in zip(free_numbers(found), parts, strict=False):
        yield number, {key: wanted.sum_of(key) for key in part}


def make_shard(work: Shards[VectorShard], extractor: Extractor, job: Job) -> None:
    """Write a shard in a worker of a cluster."""
    number, sums = job
    with full_disk_told(work.partial):
        results = embed_part(extractor, list(sums))
        write_shard(work, number, sums, results, keeps_crops(extractor.experiment))


def embed_parts(
    extractor: Extractor, parts: Iterable[Sequence[str]], workers: Workers, at_once: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the utterances with the embeddings of their pieces, part by part.

    Args:
        at_once: so many go to a worker in one message.
    """
    if in_processes(extractor.device):
        utterances = chain.from_iterable(parts)
        some = iter(lambda: list(islice(utterances, at_once)), [])
        return chain.from_iterable(workers.map(partial(embed_some, extractor), some))
    return chain.from_iterable(embed_part(extractor, part) for part in parts)


def embed_part(extractor: Extractor, part: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the utterances of a shard with the embeddings of their pieces, in this process.

    A batch on a GPU is of one shard, so that an embedding does not depend on which were missing.
    """
    network, reader = open_extractor(extractor)
    if not in_processes(extractor.device):
        yield from embed_in_batches(network, reader, part, extractor.device)
        return
    options = extractor.experiment.extraction
    for utterance in part:
        yield utterance, embed_pieces(network, reader.read(utterance), options, extractor.device)


def embed_some(extractor: Extractor, part: Sequence[str]) -> list[tuple[str, np.ndarray]]:
    """Return all that `embed_part` yields, as a worker sends it."""
    return list(embed_part(extractor, part))


def in_processes(device: torch.device) -> bool:
    """Tell whether several processes embed utterance by utterance; a GPU takes batches of one."""
    return device.type == "cpu"


def find_held_out(checkpoint: Checkpoint, utt2spk: Mapping[str, str]) -> set[str]:
    """Return the speakers of a training set who did not train the network; none of other sets."""
    original = find_originals(utt2spk.values())
    trained = {original_speaker(name) for name in checkpoint.speakers}
    if not trained & original.keys():
        return set()
    return {name for name, of in original.items() if name == of and name not in trained}


def check_same_split(held_out: set[str], extractor: Extractor) -> None:
    """Refuse a config that holds out other speakers than were held out in training."""
    if held_out:
        expected = split_for_scoring(extractor.data_dir, extractor.experiment)[1]
        if held_out != set(expected):
            raise ValueError(
                f"{extractor.checkpoint}: its training held out other speakers than the config's "
                f"seed and held_out do: {Stage.PRETRAINING.again}, or name the config it was "
                "trained with"
            )


def check_unseen(checkpoint: Checkpoint, data_dir: Path, utt2spk: Mapping[str, str]) -> None:
    """Refuse a set of which some, but not all, speakers trained the network: a new split."""
    speakers = set(utt2spk.values())
    trained = {original_speaker(name) for name in checkpoint.speakers}
    seen = speakers & trained
    if seen and not speakers >= trained:
        raise ValueError(
            f"{data_dir}: {len(seen)} of its {len(speakers)} speakers, first {min(seen)!r}, are "
            f"among the {len(trained)} that trained the network. Where the data were prepared "
            f"anew since, {stages_again(Stage.PRETRAINING, Stage.EMBEDDINGS)}; where other speech "
            "is judged (--experiment), leave them out, or rename them if they are other people"
        )
