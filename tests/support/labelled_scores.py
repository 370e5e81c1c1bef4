"""Scores with their labels: by hand, at random, and of Gaussians whose LLRs are known."""

import numpy as np


def split(scores: list[float], targets: str) -> tuple[np.ndarray, np.ndarray]:
    """Return scores, and which are targets from a string of t and n."""
    return np.array(scores, float), np.array([letter == "t" for letter in targets])


def random_trials(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw overlapping classes; every other seed with many ties."""
    rng = np.random.default_rng(seed)
    is_target = rng.random(int(rng.integers(10, 300))) < rng.uniform(0.1, 0.9)
    is_target[:2] = True, False
    scores = rng.normal(0, 1, len(is_target)) + 1.2 * is_target
    return (np.round(scores, 1) if seed % 2 else scores), is_target


def gaussian_llrs(seed: int, separation: float, num_trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw calibrated LLRs: of scores from N(d, 1) and N(0, 1), d x - d^2 / 2."""
    rng = np.random.default_rng(seed)
    is_target = np.arange(num_trials) % 2 == 0
    scores = rng.normal(0, 1, num_trials) + separation * is_target
    return separation * scores - separation**2 / 2, is_target
