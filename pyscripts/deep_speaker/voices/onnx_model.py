"""A model that answers by an ONNX file, with the decisions of the model folder it was made of."""

import base64
from collections.abc import Mapping
from pathlib import Path

from deep_speaker.voices.onnx_embedder import OnnxEmbedder
from deep_speaker.voices.voice_model import Scoring, VoiceModel

# Properties of the file, beside those that `export.tracing.describe` writes.
MODEL_ID, DECISIONS, BACKEND = "model_id", "decisions", "backend"


def describe_scoring(decisions: Path, arrays: Path, model_id: str) -> dict[str, str]:
    """Return the properties that tell how a model folder scores, for `open_onnx`.

    Args:
        decisions, arrays: files of the folder, of which the second need not exist.
    """
    found = {MODEL_ID: model_id, DECISIONS: decisions.read_text(encoding="utf-8")}
    if arrays.is_file():
        found[BACKEND] = base64.b64encode(arrays.read_bytes()).decode()
    return found


def open_onnx(path: Path) -> VoiceModel:
    """Open an ONNX file.

    Raises:
        ValueError: see `OnnxEmbedder`; or it does not say how to score.
    """
    embedder = OnnxEmbedder(path)
    properties = embedder.metadata
    if MODEL_ID not in properties or DECISIONS not in properties:
        raise ValueError(
            f"{path}: does not say how to score: write it anew by deep-speaker export, from a "
            "model folder"
        )
    return VoiceModel(
        str(path), properties[MODEL_ID], embedder, lambda: read_scoring(path, properties)
    )


def read_scoring(path: Path, properties: Mapping[str, str]) -> Scoring:
    """Return how to score, from the properties of an ONNX file."""
    from deep_speaker.scoring.decision_files import parse_decisions

    arrays = base64.b64decode(properties[BACKEND]) if BACKEND in properties else b""
    return Scoring(*parse_decisions(properties[DECISIONS], arrays, path))
