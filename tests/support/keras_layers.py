"""Keras' layers of Philippe Remy's Deep Speaker in NumPy, by their definitions, and files of them.

A map is (frames, bins, channels), float64; weights are by layer and parameter, `affine/kernel`.
"""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

Weights = Mapping[str, np.ndarray]
BLOCKS = 3


def pads(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's padding="same": ceil(size / stride) outputs, an odd zero goes behind."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def conv2d(maps: np.ndarray, kernel: np.ndarray, bias: np.ndarray, stride: int = 1) -> np.ndarray:
    """Conv2D(padding="same"): kernel (frames, bins, inputs, outputs)."""
    height, width = kernel.shape[:2]
    frames, bins = -(-maps.shape[0] // stride), -(-maps.shape[1] // stride)
    padded = np.pad(
        maps, (pads(maps.shape[0], height, stride), pads(maps.shape[1], width, stride), (0, 0))
    )
    outputs = np.zeros((frames, bins, kernel.shape[3])) + bias
    for i in range(height):
        for j in range(width):
            seen = padded[i : i + stride * frames : stride, j : j + stride * bins : stride]
            outputs += seen[:frames, :bins] @ kernel[i, j].astype(np.float64)
    return outputs


def batch_norm(maps: np.ndarray, weights: Weights, layer: str) -> np.ndarray:
    """BatchNormalization() at inference, with its epsilon."""
    gamma, beta, mean, variance = (
        weights[f"{layer}/{name}"].astype(np.float64)
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    return gamma * (maps - mean) / np.sqrt(variance + 1e-3) + beta


def clipped_relu(maps: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(maps, 0), 20)


def convolve(maps: np.ndarray, weights: Weights, layer: str, stride: int = 1) -> np.ndarray:
    """A convolution, its normalisation and a clipped ReLU."""
    maps = conv2d(maps, weights[f"{layer}/kernel"], weights[f"{layer}/bias"], stride)
    return clipped_relu(batch_norm(maps, weights, f"{layer}_bn"))


def run_rescnn(weights: Weights, frames: np.ndarray, channels: tuple[int, ...]) -> np.ndarray:
    """conv_models.py up to the affine layer: frames (frames, bins) to an embedding."""
    maps = frames.astype(np.float64)[:, :, np.newaxis]
    for stage, width in enumerate(channels, 1):
        maps = convolve(maps, weights, f"conv{width}-s", 2)
        for block in range(BLOCKS):
            name = f"res{stage}_{block}_branch"
            inside = convolve(maps, weights, f"{name}_2a")
            inside = convolve(inside, weights, f"{name}_2b")
            maps = clipped_relu(inside + maps)
    features = maps.reshape(len(maps), -1)  # (frames, bins * channels)
    return features.mean(axis=0) @ weights["affine/kernel"] + weights["affine/bias"]


def make_weights(
    channels: tuple[int, ...], embedding_dim: int, bins: int = 64, seed: int = 0
) -> dict[str, np.ndarray]:
    """Random weights with which some activations are clipped at 20."""
    rng = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {}

    def add_convolution(layer: str, size: int, inputs: int, outputs: int) -> None:
        scale = 1.5 / np.sqrt(size * size * inputs)
        weights[f"{layer}/kernel"] = rng.normal(0, scale, (size, size, inputs, outputs))
        weights[f"{layer}/bias"] = rng.normal(0, 1, outputs)
        weights[f"{layer}_bn/gamma"] = rng.uniform(0.5, 2, outputs)
        weights[f"{layer}_bn/beta"] = rng.normal(0, 1, outputs)
        weights[f"{layer}_bn/moving_mean"] = rng.normal(0, 1, outputs)
        weights[f"{layer}_bn/moving_variance"] = rng.uniform(0.002, 2, outputs)

    for stage, (inputs, outputs) in enumerate(zip((1, *channels), channels, strict=False), 1):
        add_convolution(f"conv{outputs}-s", 5, inputs, outputs)
        for block in range(BLOCKS):
            for turn in "ab":
                add_convolution(f"res{stage}_{block}_branch_2{turn}", 3, outputs, outputs)
        bins = -(-bins // 2)
    dim = bins * channels[-1]
    weights["affine/kernel"] = rng.normal(0, dim**-0.5, (dim, embedding_dim))
    weights["affine/bias"] = rng.normal(0, 1, embedding_dim)
    return {key: value.astype(np.float32) for key, value in weights.items()}


def write_weights(path: Path, weights: Weights, root: str = "model_weights") -> Path:
    """Write a file as Keras' `save` does; with `root` "/" as `save_weights`."""
    with h5py.File(path, "w") as file:
        for key, values in weights.items():
            layer, parameter = key.split("/")
            file.require_group(root).create_dataset(f"{layer}/{layer}/{parameter}:0", data=values)
    return path


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read all tensors of a file of `save`."""
    weights: dict[str, np.ndarray] = {}

    def read(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            _, layer, parameter = name.split("/")
            weights[f"{layer}/{parameter.removesuffix(':0')}"] = item[()]

    with h5py.File(path, "r") as file:
        file["model_weights"].visititems(read)
    return weights
