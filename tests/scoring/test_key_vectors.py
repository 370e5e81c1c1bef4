"""The vectors of utterances, models and speakers, and what is refused without them."""

from pathlib import Path

import numpy as np
import pytest

from deep_speaker.embeddings.xvectors import read_unit_vectors, write_xvectors
from deep_speaker.scoring.key_vectors import group_vectors, read_test_vectors
from deep_speaker.trials.models import write_models
from support.scored_folders import (
    TRAIN,
    held_out_of,
    score,
)
from support.tiny_xvectors import (
    write_data_dir,
)

VECTORS = {
    "a-1": np.array([5.0, 0.0]),
    "a-2": np.array([0.0, 0.1]),
    "a-3": np.array([-2.0, 0.0]),
    "b-1": np.array([3.0, 4.0]),
    "z": np.zeros(2),
}


def test_groups_are_the_means_of_their_utterances(tmp_path: Path) -> None:
    """Long and short vectors count alike; opposite ones leave nothing, and warn nobody."""
    write_xvectors(tmp_path / "x", VECTORS, dict.fromkeys(VECTORS, "a"))
    groups = {"up": ["a-2", "a-1"], "nowhere": ["a-1", "a-3"], "all": ["a-1", "a-2", "a-3", "b-1"]}
    keys = group_vectors(read_unit_vectors(tmp_path / "x"), groups)
    assert list(keys.rows) == [*VECTORS, *groups]
    assert sorted(keys.rows.values()) == list(range(8))
    assert keys.vectors.dtype == np.float32
    assert keys.vectors[keys.rows["up"]].tolist() == pytest.approx([0.5, 0.5])
    assert keys.vectors[keys.rows["nowhere"]].tolist() == [0, 0]
    assert keys.vectors[keys.rows["all"]].tolist() == pytest.approx([0.6 / 4, 1.8 / 4])
    assert keys.vectors[keys.rows["b-1"]].tolist() == pytest.approx([0.6, 0.8])
    assert keys.members == [[0], [1], [2], [3], [4], [1, 0], [0, 2], [0, 1, 2, 3]]
    assert keys.counts.tolist() == [1, 1, 1, 1, 1, 2, 2, 4]


def test_an_utterance_s_name_stands_for_the_utterance() -> None:
    """One recording per speaker, named as the speaker."""
    vectors = {"a": np.array([1.0, 0.0]), "a-2": np.array([0.0, 1.0]), "b": np.array([0.6, 0.8])}
    keys = group_vectors(vectors, {"a": ["a", "a-2"], "b": ["b"], "c": ["b", "a-2"]})
    assert list(keys.rows) == ["a", "a-2", "b", "c"]
    assert keys.vectors.shape == (4, 2)
    assert keys.vectors[keys.rows["a"]].tolist() == [1, 0]
    assert keys.members == [[0], [1], [2], [2, 1]]


def test_without_groups_there_are_the_utterances_alone() -> None:
    keys = group_vectors({"a": np.array([1.0, 0.0]), "b": np.array([0.0, 1.0])}, {})
    assert keys.rows == {"a": 0, "b": 1}
    assert keys.counts.tolist() == [1, 1]


def test_a_name_is_an_utterance_s_before_a_model_s_before_a_speaker_s(tmp_path: Path) -> None:
    vectors = {"a": [1.0, 0], "a-2": [0, 1.0], "b-1": [3.0, 4], "b-2": [0, -2.0], "c-1": [-1.0, 0]}
    utt2spk = {"a": "a", "a-2": "a", "b-1": "b", "b-2": "b", "c-1": "c"}
    arrays = {key: np.array(vector) for key, vector in vectors.items()}
    write_xvectors(tmp_path / "x", arrays, utt2spk)
    write_data_dir(tmp_path / "test", utt2spk)
    write_models(tmp_path / "test", {"a": ["b-1"], "b": ["a", "a-2"], "m": ["b-1"]})
    keys = read_test_vectors(tmp_path / "x", tmp_path / "test")
    assert set(keys.rows) == {*utt2spk, "b", "c", "m"}
    expected = {"a": [1, 0], "b": [0.5, 0.5], "m": [0.6, 0.8], "c": [-1, 0]}
    for name, vector in expected.items():
        assert keys.vectors[keys.rows[name]].tolist() == pytest.approx(vector)
    assert keys.counts[keys.rows["b"]] == 2


def test_a_model_of_utterances_without_vectors_is_refused(folder: Path) -> None:
    write_models(folder / "test", {"m": ["s0-0", "x9"], "n": ["who", "s0-1"]})
    with pytest.raises(
        ValueError,
        match=r"/p/xvectors_test: 2 .*/test/enroll_spk2utt .*'x9' .*'m': .* stage 4 ",
    ):
        score(folder)
    assert not (folder / "scores").exists()


@pytest.mark.parametrize(("number", "held_out"), [(0, False), (4, True)])
def test_a_training_utterance_without_a_vector_is_named(
    number: int, held_out: bool, folder: Path
) -> None:
    assert (f"t{number}" in held_out_of(TRAIN)) == held_out
    table = dict(sorted((TRAIN | {f"t{number}-9": f"t{number}"}).items()))
    write_data_dir(folder / "train", table)
    with pytest.raises(ValueError, match=rf"/p/xvectors_train.*'t{number}-9'.* stage 4 "):
        score(folder)


@pytest.mark.parametrize("name", ["train", "test"])
def test_missing_vectors_name_the_stage_that_makes_them(name: str, folder: Path) -> None:
    (folder / f"p/xvectors_{name}/xvector.scp").unlink()
    with pytest.raises(ValueError, match=rf"/xvectors_{name}/xvector\.scp .* stage 4 "):
        score(folder)
