"""X-vector directories in Kaldi's form."""

import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from deep_speaker.config.folders import VECTORS
from deep_speaker.config.stages import Stage
from deep_speaker.embeddings.held_out import HELD_OUT_FILE, write_held_out
from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.kaldi.archives import ArchiveTable, write_vectors
from deep_speaker.kaldi.data_dir import write_spk2utt
from deep_speaker.kaldi.tables import write_table
from deep_speaker.kaldi.utterances import group_by_speaker
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
        fill_xvectors(partial, output, embeddings, utt2spk, held_out)


def fill_xvectors(
    partial: Path,
    output: Path,
    embeddings: Mapping[str, np.ndarray],
    utt2spk: Mapping[str, str],
    held_out: Iterable[str] = (),
) -> None:
    """Write the files of `write_xvectors` into `partial`, a folder that is to become `output`."""
    dimensions = {vector.shape for vector in embeddings.values()}
    if len(dimensions) != 1:
        raise ValueError(
            f"{output}: embeddings of different shapes {sorted(dimensions)}: take those of one "
            "network"
        )
    broken = [key for key, vector in embeddings.items() if not np.isfinite(vector).all()]
    if broken:
        raise ValueError(
            f"{output}: {len(broken)} embeddings are not finite, first {broken[0]!r}: look at the "
            "network's training"
        )
    spk2utt = group_by_speaker({key: utt2spk[key] for key in embeddings})
    means = {
        speaker: np.mean([embeddings[key] for key in utterances], axis=0)
        for speaker, utterances in spk2utt.items()
    }
    write_spk2utt(partial / "spk2utt", {key: utt2spk[key] for key in embeddings})
    write_vectors(partial / "xvector", output / "xvector", embeddings)
    write_vectors(partial / "spk_xvector", output / "spk_xvector", means)
    write_table(partial / "num_utts.ark", {key: len(utts) for key, utts in spk2utt.items()})
    if held_out:
        write_held_out(partial, held_out)


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
