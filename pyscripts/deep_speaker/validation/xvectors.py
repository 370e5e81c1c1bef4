"""Checks of x-vector directories: vectors of utterances and speakers, and crops."""

from itertools import islice
from pathlib import Path

from deep_speaker.config.stages import Stage
from deep_speaker.kaldi.matrix_forms import MATRICES, VECTORS
from deep_speaker.kaldi.tables import iterate_keys, iterate_table
from deep_speaker.validation.archives import check_columns, check_finite, iterate_objects
from deep_speaker.validation.data_dirs import check_speaker_lists, is_count
from deep_speaker.validation.tables import check_table

UTTERANCES, SPEAKERS, COUNTS = "xvector.scp", "spk_xvector.scp", "num_utts.ark"
CROPS = "xvector_crops.scp"


def is_xvector_dir(folder: Path) -> bool:
    """Tell whether a folder holds x-vectors."""
    return any((folder / name).exists() for name in (UTTERANCES, SPEAKERS, COUNTS))


def validate_xvector_dir(folder: Path) -> str:
    """Check an x-vector directory, and return its size in words.

    Raises:
        ValueError: with file, line and remedy.
    """
    utterances, size = _check_vectors(folder / UTTERANCES, 0)
    speakers, _ = _check_vectors(folder / SPEAKERS, size)
    _check_counts(folder, utterances)
    held = f"{utterances} x-vectors of {size} dimensions, {speakers} speakers"
    if (folder / CROPS).exists():
        check_table(folder / CROPS, iterate_keys(folder / UTTERANCES), UTTERANCES)
        held += f", {_check_crops(folder / CROPS, size)} crops"
    return held


def _check_counts(folder: Path, utterances: int) -> None:
    """Check num_utts.ark, and spk2utt if there, by the utterances and speakers with vectors."""
    counts = folder / COUNTS
    check_table(
        counts, iterate_keys(folder / SPEAKERS), SPEAKERS, is_count, "a whole number above 0"
    )
    if (folder / "spk2utt").exists():
        keys = iterate_keys(folder / UTTERANCES)  # sorted by speaker too
        expected = ((key, list(islice(keys, int(count)))) for key, count in iterate_table(counts))
        check_speaker_lists(folder / "spk2utt", expected, f"{UTTERANCES} and {COUNTS}")
    total = sum(int(count) for _, count in iterate_table(counts))
    if total != utterances:
        raise ValueError(
            f"{counts}: {total} utterances in all, {UTTERANCES} has {utterances}: "
            f"{Stage.EMBEDDINGS.again}"
        )


def _check_vectors(scp: Path, size: int) -> tuple[int, int]:
    """Check that vectors are finite and of one size; return their number and size."""
    count = 0
    for _, item in iterate_objects(scp, VECTORS):
        count += 1
        size = size or item.header.rows
        if item.header.rows != size:
            raise item.error(f"{item.header.rows} dimensions, not {size}: {Stage.EMBEDDINGS.again}")
        if not check_finite(item).any():
            raise item.error(f"a vector of zeros has no direction: {Stage.EMBEDDINGS.again}")
    return count, size


def _check_crops(scp: Path, size: int) -> int:
    total = crops = 0
    for _, item in iterate_objects(scp, MATRICES):
        check_columns(item, size)
        check_finite(item)
        crops = crops or item.header.rows
        if item.header.rows != crops:
            raise item.error(f"{item.header.rows} crops, others {crops}: {Stage.EMBEDDINGS.again}")
        total += crops
    return total
