"""Write the model for other programs, as ONNX or TorchScript.

    deep-speaker export --onnx model.onnx
    deep-speaker export --torchscript model.pt --model exp/mine/embedded
    deep-speaker export --onnx model.onnx --from-features
    deep-speaker embed *.wav --model model.onnx --output embeddings.npz     # without torch

The file takes samples of one channel (num_samples,), float32 on the scale of 16-bit integers, of
any length, and gives an embedding of unit length; front end, voice activity and normalisation are
inside. With --from-features it takes normalised frames (1, frames, bins) instead. What it wants is
in its metadata. It is checked against the model before it gets its name.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from deep_speaker.commands.options import add_model_option

if TYPE_CHECKING:
    from deep_speaker.export.tracing import Input

TAKES: dict[bool, "Input"] = {False: "samples", True: "frames"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    forms = parser.add_mutually_exclusive_group(required=True)
    forms.add_argument("--onnx", type=Path, metavar="FILE", help="ONNX file to write")
    forms.add_argument("--torchscript", type=Path, metavar="FILE", help="TorchScript file to write")
    parser.add_argument(
        "--from-features", action="store_true", help="take frames of features, not samples"
    )
    add_model_option(parser)


def run(options: argparse.Namespace) -> None:
    """Export a model."""
    from deep_speaker.export.writing import export_onnx, export_torchscript
    from deep_speaker.scoring.decision_files import ARRAYS, DECISIONS
    from deep_speaker.voices.loading import SHIPPED, find_folder, model_id
    from deep_speaker.voices.onnx_model import describe_scoring

    folder = find_folder(options.model or SHIPPED)
    output = options.onnx or options.torchscript
    write = export_onnx if options.onnx else export_torchscript
    scoring = describe_scoring(folder / DECISIONS, folder / ARRAYS, model_id(folder))
    write(folder, output, {"name": folder.resolve().name} | scoring, TAKES[options.from_features])
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, takes {TAKES[options.from_features]}")
