"""Fusion of several systems' embeddings into one x-vector directory."""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from deep_speaker.config.folders import VECTORS
from deep_speaker.embeddings.held_out import read_held_out_list
from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.embeddings.xvectors import read_unit_vectors, write_xvectors
from deep_speaker.kaldi.tables import read_table


def fuse_xvectors(
    data_dir: Path, folders: Sequence[Path], output: Path, method: str = "concatenation"
) -> None:
    """Write an x-vector directory of several systems' embeddings of a data directory.

    Args:
        method: `concatenation`, whose cosine is the mean of the systems' cosines; or `sum`, as
            Deep Speaker fuses (Li et al. 2017), of systems of one dimension.

    Raises:
        ValueError: the systems differ in their utterances, held-out speakers or, for a sum,
            dimensions.
    """
    systems = [read_unit_vectors(folder) for folder in folders]
    check_same_utterances(folders, systems)
    stacked = [np.stack([system[key] for key in systems[0]]) for system in systems]
    embeddings = dict(zip(systems[0], fuse_vectors(stacked, method), strict=True))
    utt2spk = read_table(data_dir / "utt2spk")
    unknown = embeddings.keys() - utt2spk.keys()
    if unknown:
        raise ValueError(
            f"{folders[0]}: {min(unknown)!r} is not in {data_dir}: name the data directory that "
            "was embedded there"
        )
    made_of = [path for folder in folders if (path := folder / VECTORS).is_file()]
    write_xvectors(output, embeddings, utt2spk, read_common_held_out(folders), made_of)
    logging.info("%d utterances of %d systems: %s", len(embeddings), len(folders), method)


def check_same_utterances(
    folders: Sequence[Path], systems: Sequence[Mapping[str, np.ndarray]]
) -> None:
    """Refuse systems of different utterances."""
    for folder, system in zip(folders, systems, strict=True):
        if system.keys() != systems[0].keys():
            key = min(system.keys() ^ systems[0].keys())
            raise ValueError(
                f"{folder} and {folders[0]} have different utterances, first {key!r}: fuse systems "
                "of one data directory"
            )


def fuse_vectors(systems: Sequence[np.ndarray], method: str) -> np.ndarray:
    """Join the vectors (utterances, dim) of several systems by `method`, at unit length."""
    if method == "concatenation":
        return at_unit_length(np.concatenate(systems, axis=1))
    sizes = {vectors.shape[1] for vectors in systems}
    if len(sizes) > 1:
        raise ValueError(
            f"embeddings of {sorted(sizes)} dimensions have no sum: fuse by --method concatenation"
        )
    return at_unit_length(np.sum(systems, axis=0))


def read_common_held_out(folders: Sequence[Path]) -> Collection[str]:
    """Return the held-out speakers that the lists of all folders name, if there are lists."""
    held_out = [read_held_out_list(folder) for folder in folders]
    if any(names != held_out[0] for names in held_out):
        raise ValueError(
            f"{', '.join(map(str, folders))}: the systems held out different speakers (seed, "
            "held_out): train them alike"
        )
    return held_out[0] or ()
