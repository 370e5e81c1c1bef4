"""PLDA beside that of the config: one from a folder, and both adapted to another domain."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deep_speaker.config.folders import ADAPTATION_XVECTORS, VECTORS
from deep_speaker.config.phases import FITTED_FLOORS
from deep_speaker.config.stages import Stage
from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.embeddings.xvectors import read_vectors
from deep_speaker.kaldi.tables import read_table
from deep_speaker.scoring.kaldi_plda_files import MATRIX, MEAN, PLDA, read_backend, write_backend
from deep_speaker.scoring.key_vectors import KeyVectors
from deep_speaker.scoring.plda_adaptation import adapt_backend
from deep_speaker.scoring.score_files import ADAPTED_GIVEN_PLDA, ADAPTED_PLDA, GIVEN_PLDA
from deep_speaker.scoring.scorers import FittedBackend
from deep_speaker.scoring.vector_backend import Scorer, VectorBackend


class OtherPlda(NamedTuple):
    """What is asked for beside the back ends of the config.

    Attributes:
        backend_dir: holds mean.vec, transform.mat, plda of Kaldi, by which `given_plda` scores.
        adaptation_set: a data directory of another domain, whose x-vectors stage 4 has made.
    """

    backend_dir: Path | None = None
    adaptation_set: Path | None = None

    def made_of(self, backend: str, folder: Path) -> list[Path]:
        """Return the files that a back end is made of, besides those that all are made of.

        Args:
            folder: of the phase.
        """
        found: list[Path] = []
        if self.backend_dir and backend in (GIVEN_PLDA, ADAPTED_GIVEN_PLDA):
            found += [self.backend_dir / name for name in (MEAN, MATRIX, PLDA)]
        if backend in (ADAPTED_PLDA, ADAPTED_GIVEN_PLDA):
            found.append(folder / ADAPTATION_XVECTORS / VECTORS)
        return [path for path in found if path.is_file()]


NO_OTHER = OtherPlda()


class GivenBackend(VectorBackend):
    """A back end of other programs: takes x-vectors at the length that they have, as those do."""

    def scorer(self, keys: KeyVectors, folder: Path | None = None) -> Scorer:
        """Return the scorer of pairs of `keys`, which the x-vector directory `folder` holds."""
        assert folder is not None
        return super().scorer(keys.made_of(read_vectors(folder)), folder)


def other_backends(
    asked: OtherPlda, fitted: Mapping[str, FittedBackend], dim: int, folder: Path
) -> dict[str, FittedBackend]:
    """Return the back ends that are asked for beside those `fitted`, by name.

    Adapted ones are also written to `folder`/<name>, and those of an earlier run removed.

    Args:
        dim: of the x-vectors.
        folder: of the phase.

    Raises:
        ValueError: the folder of the back end does not fit; the adaptation set has no x-vectors,
            or there is no PLDA to adapt.
    """
    others: dict[str, FittedBackend] = {}
    if asked.backend_dir:
        others[GIVEN_PLDA] = GivenBackend(read_backend(asked.backend_dir, dim), None, 1)
        logging.info("%s: PLDA of %s", GIVEN_PLDA, asked.backend_dir)
    for name in (ADAPTED_PLDA, ADAPTED_GIVEN_PLDA):
        shutil.rmtree(folder / name, ignore_errors=True)
    if asked.adaptation_set is None or folder.name in FITTED_FLOORS:  # which stage 4 leaves out
        return others
    vectors = read_adaptation_vectors(folder / ADAPTATION_XVECTORS, asked.adaptation_set, dim)
    before = {ADAPTED_PLDA: fitted.get("plda"), ADAPTED_GIVEN_PLDA: others.get(GIVEN_PLDA)}
    found = {name: each for name, each in before.items() if isinstance(each, VectorBackend)}
    if not found:
        raise ValueError(
            f"--adaptation-set {asked.adaptation_set}: no PLDA to adapt: add plda to "
            "scoring.backends of the config, or name one by --backend-dir"
        )
    for name, backend in found.items():
        taken = vectors if isinstance(backend, GivenBackend) else at_unit_length(vectors)
        adapted = adapt_backend(backend.transform, taken)
        write_backend(folder / name, adapted, taken.mean(axis=0, dtype=np.float64))
        others[name] = type(backend)(adapted, None, backend.cohort_size)
    return others


def read_adaptation_vectors(folder: Path, data_dir: Path, dim: int) -> np.ndarray:
    """Return the x-vectors of a data directory, at their own length: (utterances, dim).

    Raises:
        ValueError: they are missing, of other utterances, of another size, or fewer than two.
    """
    remedy = f"run stage {Stage.EMBEDDINGS:d} with --adaptation-set {data_dir}"
    if not (folder / "xvector.scp").is_file():
        raise ValueError(f"{folder} is missing: {remedy}")
    vectors = read_vectors(folder)
    if vectors.keys() != read_table(data_dir / "utt2spk").keys():
        raise ValueError(f"{folder} is of other utterances than {data_dir}: {remedy}")
    stacked = np.stack(list(vectors.values()))
    if stacked.shape[1] != dim or len(stacked) < 2:
        raise ValueError(
            f"{folder} has {len(stacked)} vectors of {stacked.shape[1]} dimensions, expected 2 or "
            f"more of {dim}: {remedy}"
        )
    return stacked


def write_fitted_plda(
    folder: Path,
    fitted: Mapping[str, FittedBackend],
    vectors: Mapping[str, np.ndarray],
    fitted_on: Mapping[str, str],
) -> None:
    """Write the fitted PLDA, if there is one, to `folder`/plda, for Kaldi's programs.

    Args:
        vectors: unit-length training vectors by utterance.
        fitted_on: utt2spk of those that it was fitted on.
    """
    backend = fitted.get("plda")
    if not isinstance(backend, VectorBackend):
        shutil.rmtree(folder / "plda", ignore_errors=True)
        return
    stacked = np.stack([vectors[key] for key in fitted_on])
    write_backend(folder / "plda", backend.transform, stacked.mean(axis=0, dtype=np.float64))
