"""The likeliest sequence of speakers."""

from itertools import pairwise, product

import numpy as np
import pytest

from deep_speaker.tracking.smoothing import best_path


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("cost", [0.0, 0.7, 5.0])
def test_no_other_path_is_better(seed: int, cost: float) -> None:
    evidence = np.random.default_rng(seed).normal(size=(6, 3))

    def worth(path: tuple[int, ...]) -> float:
        changes = sum(one != other for one, other in pairwise(path))
        return sum(evidence[row, column] for row, column in enumerate(path)) - cost * changes

    best = max(product(range(3), repeat=6), key=worth)
    assert best_path(evidence, cost).tolist() == list(best)


def test_one_window_goes_to_the_likeliest() -> None:
    assert best_path(np.array([[1.0, 3.0, 2.0]])).tolist() == [1]
