"""X-vector directories, read by others' readers."""

import os
from pathlib import Path

import kaldi_native_io
import numpy as np
import pytest

from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.embeddings.xvectors import read_unit_vectors, write_xvectors
from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import group_by_speaker
from deep_speaker.system.origins import note_origins
from support.kaldi_checks import read_by_kaldiio


def test_unit_length_leaves_a_zero_vector() -> None:
    assert at_unit_length(np.array([3.0, -4.0])).tolist() == pytest.approx([0.6, -0.8])
    assert at_unit_length(np.zeros(3)).tolist() == [0, 0, 0]
    many = at_unit_length(np.array([[[3.0, -4.0], [0, 0]], [[0, 2], [-5, 0]]]))
    assert many.dtype == np.float32
    assert many.ravel().tolist() == pytest.approx([0.6, -0.8, 0, 0, 0, 1, -1, 0])


def read_by_kaldi(scp: Path) -> dict[str, np.ndarray]:
    with kaldi_native_io.SequentialFloatVectorReader(f"scp:{scp}") as reader:
        return {key: np.array(value) for key, value in reader}


@pytest.mark.parametrize("read", [read_by_kaldiio, read_by_kaldi])
def test_xvector_directories_are_read_by_kaldis_readers(read: type, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    utt2spk = {f"{speaker}-{i}": speaker for speaker in ("b", "a") for i in (10, 9, 1)}
    del utt2spk["a-9"]
    embeddings = {key: rng.normal(0, 1, 4) for key in utt2spk}  # float64
    write_xvectors(tmp_path / "x", embeddings, utt2spk)

    vectors = read(tmp_path / "x/xvector.scp")
    assert list(vectors) == ["a-1", "a-10", "b-1", "b-10", "b-9"]  # as bytes
    for key, vector in vectors.items():
        assert vector.dtype == np.float32
        assert np.array_equal(vector, embeddings[key].astype(np.float32))
    means = read(tmp_path / "x/spk_xvector.scp")
    assert list(means) == ["a", "b"]
    assert means["a"].dtype == np.float32
    assert means["a"] == pytest.approx((embeddings["a-1"] + embeddings["a-10"]) / 2, abs=1e-6)
    assert (tmp_path / "x/num_utts.ark").read_text() == "a 2\nb 3\n"
    with kaldi_native_io.SequentialInt32Reader(f"ark:{tmp_path}/x/num_utts.ark") as reader:
        assert dict(reader) == {"a": 2, "b": 3}


def test_scp_entries_are_absolute_and_name_the_final_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_xvectors(Path("exp/x"), {"a-1": np.ones(2)}, {"a-1": "a"})
    for name, key in (("xvector", "a-1"), ("spk_xvector", "a")):
        entry = read_table(tmp_path / f"exp/x/{name}.scp")[key]
        assert entry.rpartition(":")[0] == str(tmp_path / f"exp/x/{name}.ark")
    assert sorted(path.name for path in (tmp_path / "exp").iterdir()) == ["x"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.array([1, np.nan]), r"/x: 1 embeddings .*'b-1'"),
        (np.array([1, np.inf]), r"/x: 1 embeddings .*'b-1'"),
        (np.ones(3), r"/x: .*\(2,\), \(3,\)"),
    ],
)
def test_broken_embeddings_are_refused_and_the_previous_directory_stays(
    bad: np.ndarray, message: str, tmp_path: Path
) -> None:
    utt2spk = {"a-1": "a", "b-1": "b"}
    write_xvectors(tmp_path / "x", dict.fromkeys(utt2spk, np.ones(2)), utt2spk)
    with pytest.raises(ValueError, match=message):
        write_xvectors(tmp_path / "x", {"a-1": np.ones(2), "b-1": bad}, utt2spk)
    assert list(read_by_kaldiio(tmp_path / "x/xvector.scp")) == ["a-1", "b-1"]


VECTORS = {
    "a-1": np.array([5.0, 0.0]),
    "a-2": np.array([0.0, 0.1]),
    "a-3": np.array([-2.0, 0.0]),
    "b-1": np.array([3.0, 4.0]),
    "z": np.zeros(2),
}


def test_vectors_are_read_at_unit_length(tmp_path: Path) -> None:
    write_xvectors(tmp_path / "x", VECTORS, dict.fromkeys(VECTORS, "a"))
    vectors = read_unit_vectors(tmp_path / "x")
    assert list(vectors) == list(VECTORS)
    expected = [[1, 0], [0, 1], [-1, 0], [0.6, 0.8], [0, 0]]
    for vector, values in zip(vectors.values(), expected, strict=True):
        assert vector.dtype == np.float32
        assert vector.tolist() == pytest.approx(values)


def test_files_of_other_programs_stay_beside_new_vectors(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "x"
    vectors = {"a-1": np.ones(2), "b-1": np.full(2, 2.0)}
    utt2spk = {"a-1": "a", "b-1": "b"}
    write_xvectors(folder, vectors, utt2spk, held_out=["b"])
    (folder / "plda").write_text("by Kaldi")
    (folder / "mean.vec").write_text("by stage 5")
    note_origins([folder / "mean.vec"], [folder / "xvector.ark"])
    os.utime(folder / "xvector.ark", (1e9, 1e9))

    write_xvectors(folder, vectors, utt2spk)
    assert (folder / "plda").read_text() == "by Kaldi"
    assert not any((folder / name).exists() for name in ("held_out_speakers", "mean.vec"))
    assert not caplog.messages  # they are of these very vectors
    assert (folder / "xvector.ark").stat().st_mtime == 1e9
    write_xvectors(folder, {"a-1": np.ones(2), "b-1": np.full(2, 3.0)}, utt2spk)
    assert (folder / "plda").read_text() == "by Kaldi"
    (message,) = caplog.messages
    assert message.startswith(f"{folder}: kept plda, which other programs made of earlier")
    assert (folder / "xvector.ark").stat().st_mtime > 1e9


def test_means_are_those_of_all_of_a_speakers_vectors_wherever_they_come(tmp_path: Path) -> None:
    """As numpy takes them, bit for bit."""
    rng = np.random.default_rng(0)
    vectors = {f"u{i:03d}": rng.normal(size=7).astype(np.float32) for i in range(300)}
    utt2spk = {key: f"s{number % 3}" for number, key in enumerate(vectors)}
    write_xvectors(tmp_path / "x", vectors, utt2spk)
    table = ArchiveTable(tmp_path / "x/spk_xvector.scp")
    lists = {key: keys.split() for key, keys in read_table(tmp_path / "x/spk2utt").items()}
    assert lists == group_by_speaker(utt2spk)
    for speaker, keys in lists.items():
        expected = np.mean([vectors[key] for key in keys], axis=0)
        np.testing.assert_array_equal(table.rows(speaker), expected)
    assert read_table(tmp_path / "x/num_utts.ark") == dict.fromkeys(lists, "100")
