"""Identification by hand, and against sorting each anchor's scores."""

import numpy as np
import pytest

from deep_speaker.metrics.identification import identified_anchors
from support.labelled_scores import split


def accuracy(anchors: str, scores: list[float], targets: str, rank: int = 1) -> float:
    return identified_anchors(list(anchors), *split(scores, targets), rank)[1].mean()


def test_identification_accuracy_by_hand() -> None:
    # a is found, b loses to one negative, c ties (a failure); in any order of trials.
    assert accuracy("aaabbbcc", [0.9, 0.1, 0.8, 0.5, 0.6, 0.1, 0.3, 0.3], "tnntnntn") == 1 / 3
    assert accuracy("cbabacba", [0.3, 0.1, 0.8, 0.6, 0.1, 0.3, 0.5, 0.9], "nnnnnttt") == 1 / 3


def test_the_best_of_several_positives_counts() -> None:
    assert accuracy("aaabbb", [0.2, 0.7, 0.6, 0.1, 0.2, 0.3], "ttnttn") == 1 / 2


def test_anchors_without_a_positive_or_a_negative_do_not_count() -> None:
    assert accuracy("aabbc", [0.9, 0.1, 0.2, 0.3, 0.4], "tnnnt") == 1
    with pytest.raises(ValueError, match="no anchor has both a positive and a negative"):
        accuracy("aab", [1, 2, 3], "nnt")


def test_infinite_scores_identify_like_others() -> None:
    inf = float("inf")
    assert accuracy("aabb", [0.5, -inf, 0.5, inf], "tntn") == 1 / 2


def test_a_score_that_is_not_a_number_identifies_nobody() -> None:
    with pytest.raises(ValueError, match="not numbers"):
        accuracy("aabb", [0.9, float("nan"), 0.9, 0.1], "tntn")


def test_ranks_of_a_matrix_by_hand() -> None:
    """Tests a to d against six models, the first of them their speaker's."""
    scores = [
        [0.9, 0.1, 0.2, 0.3, 0.4, 0.5],  # a: the best
        [0.5, 0.9, 0.1, 0.2, 0.3, 0.4],  # b: the second
        [0.5, 0.6, 0.7, 0.5, 0.1, 0.2],  # c: a tie for the third, which is the fourth
        [0.1, 0.9, 0.8, 0.7, 0.6, 0.5],  # d: the last
    ]
    flat = [score for row in scores for score in row]
    shares = [
        accuracy("aaaaaabbbbbbccccccdddddd", flat, "tnnnnn" * 4, rank) for rank in range(1, 8)
    ]
    assert shares == [1 / 4, 1 / 2, 1 / 2, 3 / 4, 3 / 4, 1, 1]


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_ranks_agree_with_sorting_each_anchor_s_scores(rank: int) -> None:
    rng = np.random.default_rng(rank)
    scores = np.round(rng.normal(0, 1, (50, 12)), 1)  # with ties
    right = rng.integers(12, size=50)
    is_target = np.arange(12) == right[:, None]
    hits = []
    for row, own in zip(scores, right, strict=True):
        others = sorted(np.delete(row, own), reverse=True)
        hits.append(row[own] > others[rank - 1])
    order = rng.permutation(600)
    anchors = np.repeat([f"t{i}" for i in range(50)], 12)[order].tolist()
    shuffled = scores.ravel()[order], is_target.ravel()[order]
    assert identified_anchors(anchors, *shuffled, rank)[1].mean() == pytest.approx(np.mean(hits))
    assert 0 < np.mean(hits) < 1


def test_anchors_may_be_integer_codes() -> None:
    scores, is_target = split([0.9, 0.1, 0.8, 0.5, 0.6, 0.1, 0.3, 0.3], "tnntnntn")
    names = np.array(list("aaabbbcc"))
    for codes in (
        [7, 7, 7, 2, 2, 2, 100_000, 100_000],
        np.repeat([3, 1, 2], [3, 3, 2]).astype(np.int32),
    ):
        assert identified_anchors(codes, scores, is_target)[1].mean() == 1 / 3
    assert identified_anchors(names, scores, is_target)[1].mean() == 1 / 3
    found, identified = identified_anchors([7, 7, 7, 2, 2, 2, 9, 9], scores, is_target)
    assert (found.tolist(), identified.tolist()) == ([2, 7, 9], [False, True, False])
