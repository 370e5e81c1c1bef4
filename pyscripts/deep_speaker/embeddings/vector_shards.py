"""The work of stage 4: a data directory's embeddings in shards, joined to an x-vector directory.

The vectors of all shards become one xvector.ark; their records then name the places in it. The
crops stay in an ark for each shard, as there may be too many to copy.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from itertools import islice
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
)
from deep_speaker.kaldi.mapped_tables import MappedTable
from deep_speaker.kaldi.tables import iterate_keys
from deep_speaker.kaldi.wav_entries import state_of_file
from deep_speaker.system.files import scratch_directory
from deep_speaker.system.shards import RECORDS, Shards, Whole, link, short_sum
from deep_speaker.system.sorting import sort_lines
from deep_speaker.system.wanted import Wanted

SIZE = 2000  # utterances of a shard: minutes on a few processes
CROPS = "xvector_crops"


@dataclass
class VectorShard:
    """Entries of vectors and of crops, if they are kept, without the folder, by utterance."""

    vectors: dict[str, str]
    crops: dict[str, str]


def sum_inputs(data_dir: Path, samples: SampleSource | None) -> Iterator[tuple[str, str]]:
    """Yield utterances with the sums of their inputs: the entries of their arks, the arks' states.

    Args:
        samples: where they are embedded rather than frames.
    """
    tables = [MappedTable(data_dir / scp) for scp in ARCHIVES.values()]
    state = cache(state_of_file)
    for utterance in iterate_keys(data_dir / "utt2spk"):
        entries = [table[utterance] for table in tables]
        states = [state(Path(split_entry(entry)[0])) for entry in entries]
        heard = samples.identify(utterance) if samples else None
        yield utterance, short_sum([entries, states, heard])


def cut_missing(wanted: Wanted, utterances: Iterable[str]) -> Iterator[list[str]]:
    """Cut the utterances that no shard has into the shards that are missing."""
    left = filter(wanted.lacks, utterances)
    return iter(lambda: list(islice(left, SIZE)), [])


def count_missing(wanted: Wanted) -> int:
    """Count the shards that are missing."""
    return -(-wanted.missing // SIZE)


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
    found: Mapping[int, Whole],
    wanted: Wanted,
    partial: Path,
    utt2spk: Mapping[str, str],
    held_out: Iterable[str],
) -> None:
    """Write an x-vector directory of all shards into `partial`, which is to become it."""
    with scratch_directory(partial / "joining") as scratch:
        entries = _list_entries(work, found, wanted, scratch / "entries")
        files = MappedFiles()
        vectors = ((key, np.array(read_values(*files.find(entries[key])))) for key in utt2spk)
        fill_xvectors(partial, work.folder, vectors, utt2spk, held_out)
    places, crops = MappedTable(partial / "xvector.scp"), partial / f"{CROPS}.scp"
    folder = work.folder.absolute()
    with crops.open("w", encoding="utf-8") as file:
        for number, whole in found.items():
            covers, made = work.read(whole, wanted)
            arks = sorted({split_entry(entry)[0] for entry in made.crops.values()})
            for name in arks:
                link(whole.place / name, partial / name)
            file.writelines(f"{key} {folder}/{made.crops[key]}\n" for key in covers if made.crops)
            vectors_now = {key: places[key].rpartition("/")[2] for key in covers}
            now = VectorShard(vectors_now, made.crops)
            work.copy(number, whole, wanted, partial, [VECTORS, *arks], now)
    if crops.stat().st_size:
        sort_lines(crops)
    else:
        crops.unlink()


def _list_entries(
    work: Shards[VectorShard], found: Mapping[int, Whole], wanted: Wanted, path: Path
) -> MappedTable:
    """Write a table of where each utterance's vector lies, and open it."""
    with path.open("w", encoding="utf-8") as file:
        for whole in found.values():
            covers, made = work.read(whole, wanted)
            file.writelines(f"{key} {whole.place}/{made.vectors[key]}\n" for key in covers)
    return MappedTable(path)
