"""Stage 5: scores of trial lists by the distances of crops."""

from pathlib import Path

import numpy as np
import pytest

from deep_speaker.config import Experiment
from deep_speaker.embeddings.xvectors import write_xvectors
from deep_speaker.scoring.crop_distances import read_crops
from deep_speaker.scoring.list_scoring import score_phase
from deep_speaker.scoring.score_files import find_score_files
from deep_speaker.trials.lists import Trial, write_trials
from deep_speaker.trials.models import write_models
from support.scored_folders import (
    MODELS,
    TEST,
    TRAIN,
)
from support.tiny_data import make_experiment
from support.tiny_xvectors import (
    make_crops,
    make_vectors,
    parse_scores,
    write_crop_vectors,
)


def crops_experiment() -> Experiment:
    return make_experiment(
        extraction={"method": "crops"}, scoring={"backends": ("cosine", "crop_distance")}
    )


def score_crops(folder: Path) -> Path:
    score_phase(crops_experiment(), folder / "train", folder / "test", folder, "p")
    return folder / "scores"


def test_crops_score_lists_and_calibration_trials(folder: Path) -> None:
    """All crops of all utterances of a speaker or a model count."""
    crops = {"train": make_crops(TRAIN, 0), "test": make_crops(TEST, 1)}
    for name, utt2spk in (("train", TRAIN), ("test", TEST)):
        write_crop_vectors(folder / f"p/xvectors_{name}", crops[name], utt2spk)
    write_models(folder / "test", MODELS)
    trials = [Trial(name, test, False) for name in (*MODELS, "s0", "s0-1") for test in TEST]
    write_trials(folder / "test/trials", trials)
    scores = score_crops(folder)
    members = {key: [key] for key in (*TRAIN, *TEST)} | {"s0": [*TEST][:3]} | MODELS
    for name, of_set in (("trials", crops["test"]), ("calibration_trials", crops["train"])):
        found = parse_scores(scores / f"p.{name}.crop_distance")
        assert len(found) > 60
        for (enroll, test), value in found.items():
            a, b = (np.concatenate([of_set[key] for key in members[x]]) for x in (enroll, test))
            expected = -np.mean(np.linalg.norm(a[:, None].astype(float) - b, axis=2))
            itself = test in members[enroll]  # see test_crop_distances
            assert value == pytest.approx(expected, abs=2e-4 if itself else 1e-5)
    assert list(find_score_files(scores / "p", Path("trials"))) == ["crop_distance", "cosine"]


def test_double_crops_of_another_program_are_scored_as_float32(tmp_path: Path) -> None:
    crops = make_crops(TEST, 1)
    double = {key: values.astype(np.float64) for key, values in crops.items()}
    found, expected = (
        read_crops(write_crop_vectors(tmp_path / name, some, TEST), list(TEST))
        for name, some in (("double", double), ("float", crops))
    )
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_vectors_without_crops_are_scored_by_cosine(folder: Path) -> None:
    """Those of the statistics, whose scores of crops would be of something else."""
    (folder / "scores").mkdir()
    stale = folder / "scores/p.trials.crop_distance"
    stale.write_text("")
    assert list(find_score_files(score_crops(folder) / "p", Path("trials"))) == ["cosine"]
    assert not stale.exists()


def test_missing_crops_of_training_name_the_stage_that_makes_them(folder: Path) -> None:
    write_crop_vectors(folder / "p/xvectors_test", make_crops(TEST), TEST)
    vectors = make_vectors(TRAIN, 0, dim=16)
    write_xvectors(folder / "p/xvectors_train", vectors, TRAIN)
    with pytest.raises(ValueError, match=r"/xvectors_train/xvector_crops\.scp .* stage 4 "):
        score_crops(folder)
