"""From samples to an embedding by an ONNX file, where torch is not installed.

Needs numpy and onnxruntime alone.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime

FORMAT_VERSION = "1"
REMEDY = "name another, or write it anew by deep-speaker export"


class OnnxEmbedder:
    """Embeds samples by an ONNX file that `export.writing.export_onnx` wrote, from the waveform.

    Attributes:
        sampling_rate: of the samples that it takes, in Hz.
        embedding_dim: dimensions of the vectors that it gives.
        metadata: what the file says of itself; see `export.writing.describe`.
    """

    def __init__(self, path: Path | str) -> None:
        """Load the file.

        Raises:
            ValueError: it is missing, damaged, or not such a file.
        """
        self._session = open_session(Path(path))
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        check_metadata(Path(path), self.metadata)
        self.sampling_rate = int(self.metadata["sampling_rate"])
        self.embedding_dim = int(self.metadata["embedding_dim"])
        self._fewest_samples = int(self.metadata["fewest_samples"])

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Embed samples of `sampling_rate`: float32, unit length, shape (embedding_dim,).

        Memory grows with their number: cut recordings of many minutes.

        Args:
            samples: shape (num_samples,), on the scale of 16-bit integers.

        Raises:
            ValueError: too few, not finite, or of several channels.
        """
        samples = np.asarray(samples, dtype=np.float32)
        if samples.ndim != 1:
            raise ValueError(f"samples of shape {samples.shape}: give one channel, (num_samples,)")
        if len(samples) < self._fewest_samples:
            raise ValueError(
                f"too short: {len(samples)} samples, the model takes {self._fewest_samples} or more"
            )
        if not np.isfinite(samples).all():
            raise ValueError("samples that are not finite numbers")
        return self._session.run(None, {"samples": samples})[0]

    def embed_windows(
        self, samples: np.ndarray, starts: Sequence[int], num_samples: int
    ) -> np.ndarray:
        """Embed windows of samples, each by itself: unit length, shape (windows, embedding_dim).

        What the file does to a recording it does to each: voice activity, if it has that inside.
        """
        return np.stack([self(samples[start : start + num_samples]) for start in starts])

    def mean_frame(self, samples: np.ndarray) -> np.ndarray | None:
        """Return None: frames stay inside the file."""
        return None


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Load an ONNX file; one that cannot be loaded is a ValueError, of one line."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file: {REMEDY}")
    try:
        return start_session(path)
    except Exception as error:  # classes of onnxruntime's own, which have no name in common
        problem = type(error).__name__
        raise ValueError(f"{path}: not an ONNX file, or damaged ({problem}): {REMEDY}") from error


def start_session(model: Path | bytes) -> onnxruntime.InferenceSession:
    """Load an ONNX file, or its content, onto the CPU.

    It takes as many threads as torch would, so that processes side by side can share the cores.
    """
    options = onnxruntime.SessionOptions()
    threads = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # further ones are nested
    options.intra_op_num_threads = int(threads or 0)  # 0: one per core
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def check_metadata(path: Path, metadata: Mapping[str, str]) -> None:
    """Refuse a file of another program, version or input."""
    version = metadata.get("format_version")
    if version is None:
        raise ValueError(f"{path}: an ONNX file of another program: {REMEDY}")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path}: format_version {version}, known is {FORMAT_VERSION}: write it anew, or take "
            "the version of the recipe that wrote it"
        )
    if metadata.get("input") != "samples":
        raise ValueError(
            f"{path}: takes {metadata.get('input')}, not samples: write it anew by deep-speaker "
            "export, from the waveform"
        )
