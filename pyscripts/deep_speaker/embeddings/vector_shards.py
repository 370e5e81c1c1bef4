"""The work of stage 4: a data directory's embeddings in shards, joined to an x-vector directory.

The vectors of all shards become one xvector.ark; their records then name the places in it. The
crops stay in an ark for each shard, as there may be too many to copy.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from deep_speaker.config.folders import VECTORS
from deep_speaker.embeddings.unit_length import average
from deep_speaker.embeddings.xvectors import fill_xvectors
from deep_speaker.features.samples import SampleSource
from deep_speaker.features.shards import ARCHIVES
from deep_speaker.kaldi.archives import (
    ArchiveWriter,
    MappedFiles,
    read_values,
    split_entry,
    write_scp,
)
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.wav_entries import state_of_file
from deep_speaker.system.shards import RECORDS, Shards, Whole, link, short_sum

SIZE = 2000  # utterances of a shard: minutes on a few processes
CROPS = "xvector_crops"


@dataclass
class VectorShard:
    """Entries of vectors and of crops, if they are kept, without the folder, by utterance."""

    vectors: dict[str, str]
    crops: dict[str, str]


def sum_inputs(
    data_dir: Path, utterances: Iterable[str], samples: SampleSource | None
) -> dict[str, str]:
    """Return the sums of utterances' inputs: the entries of their arks, and the arks' states.

    Args:
        samples: where they are embedded rather than frames.
    """
    tables = [read_table(data_dir / scp) for scp in ARCHIVES.values()]
    state = cache(state_of_file)
    sums = {}
    for utterance in utterances:
        entries = [table[utterance] for table in tables]
        states = [state(Path(split_entry(entry)[0])) for entry in entries]
        heard = samples.identify(utterance) if samples else None
        sums[utterance] = short_sum([entries, states, heard])
    return sums


def cut_missing(
    found: Mapping[int, Whole[VectorShard]], utterances: Iterable[str]
) -> list[list[str]]:
    """Cut the utterances that no shard has into the shards that are missing."""
    covered = {key for whole in found.values() for key in whole.covers}
    left = [utterance for utterance in utterances if utterance not in covered]
    return [left[i : i + SIZE] for i in range(0, len(left), SIZE)]


def write_shard(
    work: Shards[VectorShard],
    number: int,
    sums: Mapping[str, str],
    results: Iterable[tuple[str, np.ndarray]],
    keeps_crops: bool,
) -> None:
    """Write a shard as its embeddings come.

    Args:
        sums: of the inputs, by utterance of the shard.
        results: its utterances, in any order, with the embeddings of their pieces.
    """
    files = {VECTORS: f"{RECORDS}/xvector.{number}.ark"}
    if keeps_crops:
        files[CROPS] = f"{RECORDS}/{CROPS}.{number}.ark"
    with work.writing(number) as folder:
        (folder / RECORDS).mkdir()
        with ExitStack() as stack:
            vectors, *crops = (
                stack.enter_context(ArchiveWriter(folder / name)) for name in files.values()
            )
            for utterance, pieces in results:
                vectors.write(utterance, average(pieces))
                for writer in crops:
                    writer.write(utterance, pieces)
        made = VectorShard(_relative(vectors.scp), _relative(crops[0].scp) if crops else {})
        made_of = {key: [value] for key, value in sums.items()}
        work.keep(number, made_of, list(files.values()), made, folder)


def _relative(scp: Mapping[str, str]) -> dict[str, str]:
    return {key: f"{RECORDS}/{entry.rpartition('/')[2]}" for key, entry in scp.items()}


def join_shards(
    work: Shards[VectorShard],
    found: Mapping[int, Whole[VectorShard]],
    partial: Path,
    utt2spk: Mapping[str, str],
    held_out: Iterable[str],
) -> None:
    """Write an x-vector directory of all shards into `partial`, which is to become it."""
    read: dict[str, np.ndarray] = {}
    for whole in found.values():
        read |= _read_vectors(whole)
    fill_xvectors(partial, work.folder, {key: read[key] for key in utt2spk}, utt2spk, held_out)
    places = {
        key: entry.rpartition("/")[2] for key, entry in read_table(partial / "xvector.scp").items()
    }
    crops: dict[str, str] = {}
    for number, whole in found.items():
        files = sorted({split_entry(entry)[0] for entry in whole.made.crops.values()})
        for name in files:
            link(whole.place / name, partial / name)
        crops |= {key: whole.made.crops[key] for key in whole.made.crops.keys() & whole.covers}
        made = VectorShard({key: places[key] for key in whole.covers}, whole.made.crops)
        work.copy(number, whole, partial, [VECTORS, *files], made)
    if crops:
        folder = work.folder.absolute()
        write_scp(
            partial / f"{CROPS}.scp", {key: f"{folder}/{entry}" for key, entry in crops.items()}
        )


def _read_vectors(whole: Whole[VectorShard]) -> dict[str, np.ndarray]:
    files = MappedFiles()
    return {
        key: np.array(read_values(*files.find(f"{whole.place}/{whole.made.vectors[key]}")))
        for key in whole.covers
    }
