"""Labels beside clusters: above first, else where there is room."""

import numpy as np

from deep_speaker.report.speaker_labels import GAP, cluster_box, free_box, shared_area

LOW, HIGH, SIZE = np.array([0.0, 0.0]), np.array([10.0, 10.0]), np.array([20.0, 8.0])
NOTHING = np.empty((0, 2))
ABOVE = [-5, 10 + GAP, 15, 18 + GAP]


def test_above_where_nothing_is() -> None:
    assert free_box(LOW, HIGH, SIZE, [], NOTHING).tolist() == ABOVE


def test_below_where_a_label_or_points_are_above() -> None:
    below = [-5, -8 - GAP, 15, -GAP]
    assert free_box(LOW, HIGH, SIZE, [np.array(ABOVE)], NOTHING).tolist() == below
    assert free_box(LOW, HIGH, SIZE, [], np.array([[5.0, 16.0]])).tolist() == below


def test_beside_where_both_are_taken() -> None:
    points = np.array([[5.0, 16.0], [5.0, -6.0]])
    assert free_box(LOW, HIGH, SIZE, [], points).tolist() == [10 + GAP, 1, 30 + GAP, 9]


def test_boxes_apart_share_nothing() -> None:
    assert shared_area(np.array([0, 0, 1, 1]), np.array([2, 2, 3, 3])) == 0


def test_strays_do_not_widen_a_cluster() -> None:
    near = np.array([[0.0, 0.0], [2.0, 1.0], [3.0, 5.0]])
    low, high = cluster_box(np.concatenate([near, [[500.0, 0.0]]]))
    assert (low.tolist(), high.tolist()) == ([0, 0], [3, 5])
    apart = np.array([[0.0, 0.0], [500.0, 500.0]])
    assert [corner.tolist() for corner in cluster_box(apart)] == [[250, 250], [250, 250]]
