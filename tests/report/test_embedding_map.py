"""The map of embeddings: whom it shows, and that neighbours stay neighbours."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from deep_speaker.embeddings.xvectors import write_xvectors
from deep_speaker.kaldi.tables import write_table
from deep_speaker.report import embedding_map as module
from deep_speaker.report.embedding_map import (
    choose_utterances,
    embedding_figure,
    embedding_map,
    project,
    speaker_colours,
)
from support.plots import make_map, texts


def test_speakers_and_utterances_are_chosen_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SPEAKERS", 2)
    monkeypatch.setattr(module, "MAX_UTTERANCES", 3)
    spk2utt = {s: [f"{s}{i}" for i in range(5)] for s in "abc"} | {"d": ["d0"]}
    assert choose_utterances(spk2utt) == ["a0", "a2", "a4", "d0"]


def test_clusters_stay_clusters_and_every_run_is_the_same() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 12)
    vectors = rng.normal(size=(5, 16))[labels] + 0.2 * rng.normal(size=(60, 16))
    # Cosines: lengths say nothing.
    points = project(vectors * rng.uniform(0.1, 10, size=(60, 1)))
    assert points.shape == (60, 2)
    neighbours = KNeighborsClassifier(3).fit(points, labels)
    assert neighbours.score(points, labels) == 1
    assert np.array_equal(project(vectors), project(vectors))


def test_the_map_of_a_test_set(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    utt2spk = {f"{s}-{i}": s for s in "ab" for i in range(4)}
    write_table(tmp_path / "utt2spk", utt2spk)
    write_table(tmp_path / "spk2gender", {"b": "m"})
    assert embedding_map(tmp_path / "x", tmp_path) is None
    write_xvectors(tmp_path / "x", {key: rng.normal(size=8) for key in utt2spk}, utt2spk)
    found = embedding_map(tmp_path / "x", tmp_path)
    assert found is not None
    assert found.points.shape == (8, 2)
    assert (found.speakers, found.sexes) == (list("aaaabbbb"), [""] * 4 + ["m"] * 4)
    assert (found.num_speakers, found.num_utterances) == (2, 8)
    few = {"a-0": "a", "b-0": "b"}
    write_xvectors(tmp_path / "few", {key: rng.normal(size=8) for key in few}, few)
    assert embedding_map(tmp_path / "few", tmp_path) is None


def test_the_map_names_speakers_and_sexes(drawn: list) -> None:
    found = set(texts(embedding_figure("map", make_map(40, "fm"))))
    assert found == {"0", "…name-of-1", "2", "…name-of-3", "female", "male"}
    points = np.concatenate([each.get_offsets() for each in drawn[0].axes[0].collections])
    assert len(points) == 40


def test_colours_of_speakers_differ() -> None:
    colours = speaker_colours(40)
    gaps = np.abs(colours[:, None] - colours[None]).sum(axis=2) + 3 * np.eye(40)
    assert gaps.min() > 0.05
    assert ((colours >= 0) & (colours <= 1)).all()
