"""X-vector directories in Kaldi's form."""

import logging
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deep_speaker.config.folders import VECTORS
from deep_speaker.config.stages import Stage
from deep_speaker.embeddings.held_out import HELD_OUT_FILE, write_held_out
from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.kaldi.archives import ArchiveTable, write_vectors, writing_vectors
from deep_speaker.kaldi.tables import write_rows, write_table
from deep_speaker.system.files import replacing_directory
from deep_speaker.system.origins import NOTHING, RECORD, keep_foreign, note_origins
from deep_speaker.system.shards import RECORDS
from deep_speaker.system.sums import content_sum

# What stage 4 writes into an x-vector directory. Other files there are of later stages, which
# record them (see `system.origins`), or of other programs.
OWN_FILES = frozenset(
    (
        *(f"{name}.{kind}" for name in ("xvector", "spk_xvector", "xvector_crops")
          for kind in ("ark", "scp")),
        "num_utts.ark", "spk2utt", HELD_OUT_FILE, RECORD, RECORDS,
    )
)  # fmt: skip


@contextmanager
def replacing_xvectors(
    output: Path, made_of: Iterable[Path], settings: Mapping[str, Any] = NOTHING
) -> Iterator[Path]:
    """Yield an empty folder that takes the place of an x-vector directory, see `system.files`.

    Files of other programs stay in the directory, with a warning: they are of the vectors before.

    Args:
        made_of: the files that the vectors are made of, such as a checkpoint.
        settings: the sections of the config that decide them.
    """
    with replacing_directory(output) as partial:
        yield partial
        old, new = output / VECTORS, partial / VECTORS
        kept = keep_foreign(output, partial, OWN_FILES)
        if old.is_file() and content_sum(old) == content_sum(new):
            shutil.copystat(old, new)  # since when they are as they are
        elif kept:
            logging.warning(
                "%s: kept %s, which other programs made of earlier x-vectors: make them anew, or "
                "remove them", output, ", ".join(kept),
            )  # fmt: skip
        note_origins([new], made_of, settings)


def write_xvectors(
    output: Path,
    embeddings: Mapping[str, np.ndarray],
    utt2spk: Mapping[str, str],
    held_out: Iterable[str] = (),
    made_of: Iterable[Path] = (),
    settings: Mapping[str, Any] = NOTHING,
) -> None:
    """Write xvector.{ark,scp}, spk_xvector.{ark,scp}, num_utts.ark and spk2utt, all or none.

    spk_xvector holds the mean of each speaker's embeddings, as Kaldi's ivector-mean gives.

    Args:
        held_out: speakers of a training set who did not train; listed where there are any.
        made_of, settings: see `replacing_xvectors`.
    """
    with replacing_xvectors(output, made_of, settings) as partial:
        fill_xvectors(partial, output, sorted(embeddings.items()), utt2spk, held_out)


@dataclass
class Speaker:
    """What is held of a speaker: the sum of his vectors, and his utterances, each after a space."""

    total: np.ndarray | float = 0.0
    count: int = 0
    utterances: bytearray = field(default_factory=bytearray)  # a list takes four times as much


def fill_xvectors(
    partial: Path,
    output: Path,
    embeddings: Iterable[tuple[str, np.ndarray]],
    utt2spk: Mapping[str, str],
    held_out: Iterable[str] = (),
) -> None:
    """Write the files of `write_xvectors` into `partial`, a folder that is to become `output`.

    Args:
        embeddings: sorted by utterance; read once, and not held.
    """
    shapes: set[tuple[int, ...]] = set()
    broken: list[str] = []
    speakers: dict[str, Speaker] = defaultdict(Speaker)
    with writing_vectors(partial / "xvector", output / "xvector") as write:
        for key, vector in embeddings:
            shapes.add(vector.shape)
            if len(shapes) > 1:
                break
            if not np.isfinite(vector).all():
                broken.append(key)
            write(key, vector)
            speaker = speakers[utt2spk[key]]
            speaker.total = speaker.total + vector
            speaker.count += 1
            speaker.utterances.extend(f" {key}".encode())
    if len(shapes) != 1:
        raise ValueError(
            f"{output}: embeddings of different shapes {sorted(shapes)}: take those of one network"
        )
    if broken:
        raise ValueError(
            f"{output}: {len(broken)} embeddings are not finite, first {broken[0]!r}: look at the "
            "network's training"
        )
    _write_speakers(partial, output, speakers)
    if held_out:
        write_held_out(partial, held_out)


def _write_speakers(partial: Path, output: Path, speakers: Mapping[str, Speaker]) -> None:
    means = {key: np.asarray(item.total / item.count) for key, item in speakers.items()}
    write_vectors(partial / "spk_xvector", output / "spk_xvector", means)
    write_table(partial / "num_utts.ark", {key: item.count for key, item in speakers.items()})
    lists = ((key, speakers[key].utterances.decode()[1:]) for key in sorted(speakers))
    write_rows(partial / "spk2utt", lists)


def read_unit_vectors(folder: Path) -> dict[str, np.ndarray]:
    """Return the vectors of an x-vector directory's utterances, at unit length.

    See `read_vectors`.
    """
    vectors = read_vectors(folder)
    for row in vectors.values():
        row[:] = at_unit_length(row)
    return vectors


def read_vectors(folder: Path) -> dict[str, np.ndarray]:
    """Return the vectors of an x-vector directory's utterances as they are, float32.

    They are rows of one matrix, so that memory holds a million of them once.

    Raises:
        ValueError: there are none, or they are of several sizes.
    """
    table = ArchiveTable(folder / "xvector.scp")
    keys = list(table)
    if not keys:
        raise ValueError(f"{table.scp}: empty: {Stage.EMBEDDINGS.again}")
    matrix = np.empty((len(keys), len(table.rows(keys[0]))), dtype=np.float32)
    for key, row in zip(keys, matrix, strict=True):
        vector = table.rows(key)
        if vector.shape != row.shape:
            raise ValueError(
                f"{table.scp}: {key!r} has shape {vector.shape}, {keys[0]!r} {row.shape}: "
                f"{Stage.EMBEDDINGS.again}"
            )
        row[:] = vector
    return dict(zip(keys, matrix, strict=True))
