"""X-vector directories in Kaldi's form."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from deep_speaker.archives import ArchiveWriter, write_scp, write_vectors
from deep_speaker.data_dir import group_by_speaker
from deep_speaker.files import replacing_directory
from deep_speaker.tables import write_table


def average(embeddings: np.ndarray) -> np.ndarray:
    """The mean of embeddings (pieces, dim), at unit length."""
    return unit_length(embeddings.mean(axis=0))


def unit_length(vector: np.ndarray) -> np.ndarray:
    """A vector divided by its L2 norm; a zero vector stays."""
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)


def write_crops(
    partial: Path, output: Path, results: Iterable[tuple[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Write crops as they come, as all of them may not fit in memory; return their averages."""
    vectors = {}
    name = "xvector_crops"
    with ArchiveWriter(partial / f"{name}.ark", output / f"{name}.ark") as writer:
        for utterance, crops in results:
            writer.write(utterance, crops)
            vectors[utterance] = average(crops)
    write_scp(partial / f"{name}.scp", writer.scp)
    return vectors


def write_xvectors(
    output: Path, embeddings: Mapping[str, np.ndarray], utt2spk: Mapping[str, str]
) -> None:
    """Write xvector.{ark,scp}, spk_xvector.{ark,scp} and num_utts.ark, whole.

    spk_xvector holds the mean of each speaker's embeddings, as Kaldi's ivector-mean gives.
    """
    with replacing_directory(output) as partial:
        fill_xvectors(partial, output, embeddings, utt2spk)


def fill_xvectors(
    partial: Path,
    output: Path,
    embeddings: Mapping[str, np.ndarray],
    utt2spk: Mapping[str, str],
) -> None:
    """What `write_xvectors` writes, into the folder `partial`, which is to become `output`."""
    dimensions = {vector.shape for vector in embeddings.values()}
    if len(dimensions) != 1:
        raise ValueError(f"{output}: embeddings of different sizes: {sorted(dimensions)}")
    broken = [key for key, vector in embeddings.items() if not np.isfinite(vector).all()]
    if broken:
        raise ValueError(f"{output}: {len(broken)} embeddings are not finite, first {broken[0]}")
    spk2utt = group_by_speaker({key: utt2spk[key] for key in embeddings})
    means = {
        speaker: np.mean([embeddings[key] for key in utterances], axis=0)
        for speaker, utterances in spk2utt.items()
    }
    write_vectors(partial / "xvector", output / "xvector", embeddings)
    write_vectors(partial / "spk_xvector", output / "spk_xvector", means)
    write_table(partial / "num_utts.ark", {key: len(utts) for key, utts in spk2utt.items()})
