"""Vectors of length 1."""

import numpy as np


def average(embeddings: np.ndarray) -> np.ndarray:
    """Return the mean of embeddings (pieces, dim), at unit length."""
    return at_unit_length(embeddings.mean(axis=0))


def at_unit_length(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (..., dim) divided by their L2 norms, float32; a zero vector stays."""
    vectors = vectors.astype(np.float32, copy=False)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
