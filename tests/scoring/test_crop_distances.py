"""Distances of crops, against torch's."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from deep_speaker.scoring import crop_distances
from deep_speaker.scoring.crop_distances import crop_distance_scores, read_crops, score_by_crops
from support.tiny_xvectors import make_crops, make_utt2spk, write_crop_vectors

UTT2SPK = make_utt2spk("s", 4, 3)


def test_crop_distances_worked_by_hand() -> None:
    right, up, left = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]
    crops = np.array([[right, right], [up, left]], np.float32)
    scores = crop_distance_scores(crops, np.array([0, 0, 1]), np.array([0, 1, 1]))
    root = math.sqrt(2)
    assert scores.tolist() == pytest.approx([0, -(root + 2) / 2, -root / 2])
    members = [[0], [1], [0, 1]]
    of_both = score_by_crops(np.array([2, 0]), np.array([1, 2]), crops=crops, members=members)
    mean = -((root + 2) / 2 + root / 2) / 2
    assert of_both.tolist() == pytest.approx([mean, -(root + 2) / 4])


@pytest.mark.parametrize("at_once", [1, 7, 64])
def test_crop_distances_are_those_of_the_slow_loop(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all crops of an utterance, and of all utterances behind a key."""
    monkeypatch.setattr(crop_distances, "CROP_TRIALS_AT_ONCE", at_once)
    crops = np.stack(list(make_crops(UTT2SPK).values()))
    members = [[i] for i in range(12)] + [[0, 1, 2], [4], [11, 3], [6, 7, 8, 9]]
    rng = np.random.default_rng(1)
    enroll, test = rng.integers(len(members), size=(2, 150))
    scores = score_by_crops(enroll, test, crops=crops, members=members)
    assert scores.shape == (150,)
    sides = [torch.from_numpy(np.concatenate(crops[rows])).double() for rows in members]
    for i, j, score in zip(enroll, test, scores, strict=True):
        expected = -torch.cdist(sides[i], sides[j]).mean()
        # An utterance with itself: float32 cannot tell 1 - 1e-7 from 1, whose root is 4e-4.
        itself = bool({*members[i]} & {*members[j]})
        assert score == pytest.approx(float(expected), abs=2e-4 if itself else 1e-5)


def test_crops_are_read_in_the_order_asked_for_at_unit_length(tmp_path: Path) -> None:
    crops = make_crops(UTT2SPK)
    longer = {key: (1 + i) * values for i, (key, values) in enumerate(crops.items())}
    folder = write_crop_vectors(tmp_path / "x", longer, UTT2SPK)
    wanted = ["s2-1", "s0-0", "s3-2"]
    found = read_crops(folder, wanted)
    assert (found.shape, found.dtype) == ((3, 5, 16), np.float32)
    for key, values in zip(wanted, found, strict=True):
        assert values == pytest.approx(crops[key], abs=1e-6)


def test_missing_crops_are_named(tmp_path: Path) -> None:
    folder = write_crop_vectors(tmp_path / "x", make_crops(UTT2SPK), UTT2SPK)
    with pytest.raises(ValueError, match=r"/xvector_crops\.scp: 2 .*'who'"):
        read_crops(folder, ["s0-0", "who", "x9"])
    (folder / "xvector_crops.scp").unlink()
    with pytest.raises(ValueError, match=r"/xvector_crops\.scp .* stage 4 "):
        read_crops(folder, ["s0-0"])
