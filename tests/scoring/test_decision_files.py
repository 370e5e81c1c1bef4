"""How to score and decide, in a model folder: what is written is read again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep_speaker.scoring.backends import FITTERS, fit_backend
from deep_speaker.scoring.decision_files import read_decisions, write_decisions
from deep_speaker.scoring.decision_table import DecisionTable
from deep_speaker.scoring.key_vectors import KeyVectors
from deep_speaker.scoring.transforms import COSINE
from deep_speaker.scoring.vector_backend import VectorBackend

TABLE = DecisionTable("lda", 2.0, -1.0, [0.0, 1.0], [1.0, 0.0], [0.0, 1.0], 10, 20, 30)


def draw_vectors(count: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def score(backend: VectorBackend) -> np.ndarray:
    keys = KeyVectors({}, draw_vectors(5, 1), [[0], [0, 1], [0], [0], [0, 1, 2]])
    rows = np.indices((5, 5)).reshape(2, -1)
    return backend.scorer(keys)(rows[0], rows[1])


@pytest.mark.parametrize("with_cohort", [False, True])
@pytest.mark.parametrize("name", FITTERS)
def test_a_back_end_scores_as_before(name: str, with_cohort: bool, tmp_path: Path) -> None:
    train, speakers = draw_vectors(40, 0), np.repeat(np.arange(8), 5)
    cohort = draw_vectors(8, 2) if with_cohort else None
    backend = VectorBackend(fit_backend(name, train, speakers, 4), cohort, 5)
    write_decisions(tmp_path, name, backend, TABLE)
    found_name, found, table = read_decisions(tmp_path)
    assert (found_name, table) == (name, TABLE)
    assert np.array_equal(score(found), score(backend))
    assert (tmp_path / "backend.safetensors").is_file() == (name != "cosine" or with_cohort)


def test_arrays_of_an_earlier_back_end_go(tmp_path: Path) -> None:
    write_decisions(tmp_path, "cosine_as_norm", VectorBackend(COSINE, draw_vectors(8, 2), 5), None)
    write_decisions(tmp_path, "cosine", VectorBackend(COSINE, None, 5), None)
    assert not (tmp_path / "backend.safetensors").exists()
    assert read_decisions(tmp_path)[2] is None


def edit(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """Return what changes decisions.json."""

    def apply(folder: Path) -> None:
        path = folder / "decisions.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return apply


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "decisions.json").unlink(), "no such file"),
        (lambda folder: (folder / "decisions.json").write_text("{"), "damaged"),
        (lambda folder: (folder / "backend.safetensors").unlink(), "damaged"),
        (edit(lambda content: content.update(format_version=2)), "format_version 2, known is 1"),
        (edit(lambda content: content.update(arrays=["centre", "cohort"])), "damaged"),
        (edit(lambda content: content["decisions"].pop("weight")), "damaged"),
        (edit(lambda content: content["decisions"].update(weight="2")), "damaged"),
        (edit(lambda content: content["decisions"].update(offset=float("nan"))), "damaged"),
        (edit(lambda content: content["decisions"].update(thresholds=[])), "damaged"),
        (edit(lambda content: content["decisions"].update(miss_rates=[0.5])), "damaged"),
        (edit(lambda content: content["decisions"].update(num_nontarget=0)), "damaged"),
        (lambda folder: (folder / "decisions.json").write_text("[" * 9999), "nested too deeply"),
    ],
)
def test_damage_is_told_in_one_line(
    damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    train, speakers = draw_vectors(40, 0), np.repeat(np.arange(8), 5)
    backend = VectorBackend(fit_backend("centred_cosine", train, speakers, 4), None, 5)
    write_decisions(tmp_path, "centred_cosine", backend, TABLE)
    damage(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        read_decisions(tmp_path)
    assert "fetch it anew" in str(caught.value)
    assert "\n" not in str(caught.value)
