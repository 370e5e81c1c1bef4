"""Kaldi's files of a PLDA back end: against plda.cc transcribed, and kaldi_native_io."""

import struct
from collections.abc import Callable
from pathlib import Path

import kaldi_native_io
import kaldiio
import numpy as np
import pytest

from deep_speaker.scoring.backends import fit_backend
from deep_speaker.scoring.kaldi_plda_files import (
    read_backend,
    read_plda,
    write_backend,
    write_plda,
)
from deep_speaker.scoring.plda import Plda
from deep_speaker.scoring.transforms import Transform
from support import kaldi_plda

DIM, LDA_DIM = 7, 4
COUNTS = np.array([1, 3, 1, 8])


def draw_plda(seed: int = 0) -> Plda:
    rng = np.random.default_rng(seed)
    psi = np.sort(rng.gamma(1, 3, LDA_DIM))[::-1]
    return Plda(rng.normal(size=LDA_DIM), rng.normal(size=(LDA_DIM, LDA_DIM)), psi)


def of_kaldi(plda: Plda) -> kaldi_plda.Plda:
    return kaldi_plda.Plda(*plda)


def draw_vectors(count: int, seed: int = 1) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(0.2, 1, size=(count, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def fit() -> tuple[Transform, np.ndarray]:
    """Fit PLDA on 12 speakers of 3 vectors; return it and the mean of the vectors."""
    vectors = draw_vectors(36)
    return fit_backend("plda", vectors, np.repeat(np.arange(12), 3), LDA_DIM), vectors.mean(axis=0)


def score_all(transform: Transform, vectors: np.ndarray, counts: np.ndarray) -> np.ndarray:
    terms = transform(vectors, counts)
    return terms.enroll @ terms.test.T + terms.enroll_bias[:, None] + terms.test_bias


def kaldi_scores(folder: Path, vectors: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Run Kaldi's pipeline on files read by kaldi_native_io, and plda.cc as transcribed."""
    plda = kaldi_plda.Plda.read((folder / "plda").read_bytes())
    projected = vectors.astype(np.float64)
    if (folder / "mean.vec").exists():  # ivector-subtract-global-mean
        projected = projected - kaldi_native_io.FloatVector.read(str(folder / "mean.vec")).numpy()
    if (folder / "transform.mat").exists():  # transform-vec, with a column to add if there is one
        matrix = kaldi_native_io.FloatMatrix.read(str(folder / "transform.mat")).numpy()
        ones = np.ones((len(vectors), matrix.shape[1] - projected.shape[1]))
        projected = np.hstack([projected, ones]) @ matrix.T
    lengths = np.linalg.norm(projected, axis=1, keepdims=True)  # ivector-normalize-length
    projected *= plda.dim() ** 0.5 / lengths
    return np.array(
        [[plda.score(a, n, b) for b in projected] for a, n in zip(projected, counts, strict=True)]
    )


def test_plda_is_what_kaldi_writes_byte_for_byte(tmp_path: Path) -> None:
    write_plda(tmp_path / "plda", draw_plda())
    written = (tmp_path / "plda").read_bytes()
    assert written == of_kaldi(draw_plda()).write()
    found = kaldi_plda.Plda.read(written)
    assert (found.mean_ == draw_plda().mean).all()
    assert (found.transform_ == draw_plda().transform).all()
    assert (found.psi_ == draw_plda().psi).all()


def test_plda_is_read_from_binary_and_text(tmp_path: Path) -> None:
    expected = draw_plda()
    (tmp_path / "binary").write_bytes(of_kaldi(expected).write())
    (tmp_path / "text").write_text(of_kaldi(expected).write_text())
    for part, wanted in zip(read_plda(tmp_path / "binary"), expected, strict=True):
        assert part.dtype == np.float64
        assert (part == wanted).all()
    for part, wanted in zip(read_plda(tmp_path / "text"), expected, strict=True):
        assert part == pytest.approx(wanted, rel=1e-5)


def test_plda_of_one_dimension_survives_text(tmp_path: Path) -> None:
    plda = Plda(np.array([1.5]), np.array([[2.0]]), np.array([3.0]))
    (tmp_path / "text").write_text(of_kaldi(plda).write_text())
    assert [part.shape for part in read_plda(tmp_path / "text")] == [(1,), (1, 1), (1,)]


def test_what_stage_5_fits_is_read_by_kaldis_readers_and_scores_the_same(tmp_path: Path) -> None:
    transform, mean = fit()
    write_backend(tmp_path / "plda", transform, mean)
    folder = tmp_path / "plda"
    assert {path.name for path in folder.iterdir()} == {"mean.vec", "transform.mat", "plda"}
    assert kaldi_native_io.FloatVector.read(str(folder / "mean.vec")).numpy() == pytest.approx(mean)
    matrix = kaldiio.load_mat(str(folder / "transform.mat"))
    assert transform.projection is not None
    assert (matrix == transform.projection.T).all()
    vectors = draw_vectors(4, seed=2)
    expected = kaldi_scores(folder, vectors, COUNTS)
    assert np.ptp(expected) > 3
    assert score_all(transform, vectors, COUNTS) == pytest.approx(expected, rel=1e-4, abs=2e-4)
    again = read_backend(folder, DIM)
    assert score_all(again, vectors, COUNTS) == pytest.approx(expected, rel=1e-4, abs=2e-4)


@pytest.mark.parametrize("columns", [DIM, DIM + 1, 0], ids=["linear", "affine", "none"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("centred", [True, False], ids=["centred", "uncentred"])
def test_kaldis_own_files_score_as_its_programs(
    tmp_path: Path, columns: int, dtype: str, centred: bool
) -> None:
    """Vectors of any length; mean.vec and transform.mat may be missing."""
    rng = np.random.default_rng(3)
    size = LDA_DIM if columns else DIM
    psi = np.sort(rng.gamma(1, 3, size))[::-1]
    plda = kaldi_plda.Plda(rng.normal(size=size) / 3, rng.normal(size=(size, size)), psi)
    (tmp_path / "plda").write_bytes(plda.write())
    if centred:
        kaldiio.save_mat(str(tmp_path / "mean.vec"), rng.normal(size=DIM).astype(dtype))
    if columns:
        matrix = rng.normal(size=(LDA_DIM, columns)).astype(dtype)
        kaldiio.save_mat(str(tmp_path / "transform.mat"), matrix)
    vectors = 5 * rng.normal(size=(4, DIM)).astype(np.float32)
    found = score_all(read_backend(tmp_path, DIM), vectors, COUNTS)
    assert found == pytest.approx(kaldi_scores(tmp_path, vectors, COUNTS), rel=1e-4, abs=1e-3)


def test_text_of_mean_and_matrix_is_read(tmp_path: Path) -> None:
    """As ivector-mean and copy-matrix --binary=false write them; a matrix may have one row."""
    plda = Plda(np.array([0.0]), np.array([[1.0]]), np.array([2.0]))
    write_plda(tmp_path / "plda", plda)
    (tmp_path / "mean.vec").write_text(" [ 1 -2.5 3e-1 ]\n")
    (tmp_path / "transform.mat").write_text(" [\n  1 2 10 ]\n")
    transform = read_backend(tmp_path, 3)
    assert transform.projection is not None and transform.centre is not None
    assert transform.projection.tolist() == [[1], [2], [10]]
    assert transform.centre == pytest.approx([-1])


def damage(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


BEYOND = struct.pack("<i", 1 << 30)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-30], "buffer"),
        (lambda data: data[:20], "buffer|requires"),
        (lambda data: damage(data, 13, BEYOND), "buffer"),
        (lambda data: damage(data, 13, struct.pack("<i", -1)), "shape"),
        (lambda data: damage(data, 9, b"XV"), "damaged"),
        (lambda data: b"\0B" + data[9:-8], "no PLDA of Kaldi"),
        (lambda data: damage(data, 17, struct.pack("<d", np.nan)), "not finite"),
        (lambda data: damage(data, len(data) - 16, struct.pack("<d", -2.0)), "psi below 0"),
        (lambda data: b"\x89PNG\r\n", "damaged"),
        (lambda data: b"", "no PLDA of Kaldi"),
        (lambda data: b"<Plda> [ 1 2 ]\n [ 1 x ]\n", "could not convert"),
        (lambda data: b"<Plda> [ 1 2 ]\n [\n 1 2\n 3 ]\n", "damaged"),
        (lambda data: b"<Plda> [ 1 ]\n [\n 1 2 ]\n [ 1 ] </Plda>", "one size"),
        (lambda data: b"<Plda> [ ] [ ] [ ] </Plda>", "nothing between"),
    ],
)
def test_a_damaged_plda_is_refused_by_name(
    tmp_path: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / "plda"
    write_plda(path, draw_plda())
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=message) as error:
        read_plda(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_files_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    transform, mean = fit()
    write_backend(tmp_path / "b", transform, mean)
    with pytest.raises(ValueError, match=r"from 7 to 4, .* do not fit x-vectors of 9"):
        read_backend(tmp_path / "b", 9)
    (tmp_path / "b/transform.mat").unlink()
    with pytest.raises(ValueError, match="plda of 4 do not fit x-vectors of 7"):
        read_backend(tmp_path / "b", DIM)
    kaldiio.save_mat(str(tmp_path / "b/transform.mat"), np.ones(3, np.float32))
    with pytest.raises(ValueError, match=r"transform.mat: expected a matrix"):
        read_backend(tmp_path / "b", DIM)
    (tmp_path / "b/plda").unlink()
    with pytest.raises(ValueError, match="b/plda: no such file; name the folder that holds plda"):
        read_backend(tmp_path / "b", DIM)
