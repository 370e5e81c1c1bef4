"""Fusion of systems' embeddings, by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest

import fuse_xvectors as fuse_xvectors_command
from deep_speaker.embeddings.fusion import fuse_xvectors
from deep_speaker.embeddings.held_out import write_held_out
from deep_speaker.embeddings.xvectors import read_unit_vectors, write_xvectors
from support.kaldi_checks import read_by_kaldiio
from support.tiny_xvectors import make_utt2spk, make_vectors, write_data_dir

UTT2SPK = make_utt2spk("s", 3, 2)


@pytest.fixture
def systems(tmp_path: Path) -> list[Path]:
    """x-vectors of two systems, of vectors of any length, of 6 and 4 dimensions."""
    write_data_dir(tmp_path / "test", UTT2SPK)
    for name, seed, dim in (("a", 0, 6), ("b", 1, 4), ("c", 2, 6)):
        write_xvectors(tmp_path / name, make_vectors(UTT2SPK, seed, dim), UTT2SPK)
    return [tmp_path / "a", tmp_path / "b"]


def cosines(folder: Path) -> np.ndarray:
    vectors = np.stack(list(read_unit_vectors(folder).values()))
    return vectors @ vectors.T


def test_the_cosine_of_joined_embeddings_is_the_mean_of_the_cosines(
    systems: list[Path], tmp_path: Path
) -> None:
    expected = (cosines(systems[0]) + cosines(systems[1])) / 2
    scp = systems[1] / "xvector.scp"  # whose order is not the other's
    scp.write_text("".join(reversed(scp.read_text().splitlines(keepends=True))))
    fuse_xvectors(tmp_path / "test", systems, tmp_path / "fused")
    vectors = read_by_kaldiio(tmp_path / "fused/xvector.scp")
    assert list(vectors) == list(UTT2SPK)
    assert {vector.shape for vector in vectors.values()} == {(10,)}
    assert [np.linalg.norm(v) for v in vectors.values()] == pytest.approx([1] * 6, abs=1e-6)
    assert cosines(tmp_path / "fused") == pytest.approx(expected, abs=1e-5)
    assert list(read_by_kaldiio(tmp_path / "fused/spk_xvector.scp")) == ["s0", "s1", "s2"]


def test_systems_fuse_that_held_out_the_same_speakers(systems: list[Path], tmp_path: Path) -> None:
    for folder in systems:
        write_held_out(folder, ["s1"])
    fuse_xvectors(tmp_path / "test", systems, tmp_path / "fused")
    assert (tmp_path / "fused/held_out_speakers").read_text() == "s1\n"
    write_held_out(systems[1], ["s2"])
    with pytest.raises(ValueError, match=r"/a, .*/b: .*held_out"):
        fuse_xvectors(tmp_path / "test", systems, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_sum_of_embeddings_by_hand(tmp_path: Path) -> None:
    """Each at unit length before, and their sum after."""
    write_data_dir(tmp_path / "test", {"u": "s", "v": "s"})
    for name, of_u in (("a", [5.0, 0]), ("b", [0, 0.1])):
        vectors = {"u": np.array(of_u), "v": np.array([3.0, 4.0])}
        write_xvectors(tmp_path / name, vectors, {"u": "s", "v": "s"})
    fuse_xvectors(tmp_path / "test", [tmp_path / "a", tmp_path / "b"], tmp_path / "sum", "sum")
    vectors = read_by_kaldiio(tmp_path / "sum/xvector.scp")
    assert vectors["u"].tolist() == pytest.approx([0.5**0.5] * 2)
    assert vectors["v"].tolist() == pytest.approx([0.6, 0.8])


def test_systems_of_other_utterances_or_dimensions_are_refused(
    systems: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "fused").mkdir()
    (tmp_path / "fused/previous").write_text("")
    with pytest.raises(ValueError, match=r" \[4, 6\] .* --method concatenation"):
        fuse_xvectors(tmp_path / "test", systems, tmp_path / "fused", "sum")
    for other in (dict([*UTT2SPK.items()][:5]), UTT2SPK | {"s2-1_": "s2"}):
        write_xvectors(tmp_path / "c", make_vectors(other, 2), other)
        with pytest.raises(ValueError, match=r"/c .*/a .*'s2-1_?'"):
            fuse_xvectors(tmp_path / "test", [systems[0], tmp_path / "c"], tmp_path / "fused")
    with pytest.raises(ValueError, match=r"/none/xvector\.scp .* stage 4 "):
        fuse_xvectors(tmp_path / "test", [*systems, tmp_path / "none"], tmp_path / "fused")
    assert [path.name for path in (tmp_path / "fused").iterdir()] == ["previous"]


def test_a_data_directory_of_other_utterances_is_refused(
    systems: list[Path], tmp_path: Path
) -> None:
    """Say of the training set."""
    write_data_dir(tmp_path / "train", make_utt2spk("t", 2, 2))
    with pytest.raises(ValueError, match=r"/a: 's0-0' .*/train"):
        fuse_xvectors(tmp_path / "train", systems, tmp_path / "fused")
    assert not (tmp_path / "fused").exists()


def test_command_fuses_embeddings(
    systems: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [str(tmp_path / name) for name in ("test", "fused", "a", "c")]
    monkeypatch.setattr(sys, "argv", ["fuse_xvectors.py", "--method", "sum", *folders])
    fuse_xvectors_command.main()
    a, c, fused = (read_unit_vectors(tmp_path / name) for name in ("a", "c", "fused"))
    for key in UTT2SPK:
        both = a[key] + c[key]
        assert fused[key] == pytest.approx(both / np.linalg.norm(both), abs=1e-6)
