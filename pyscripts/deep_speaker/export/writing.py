"""Files for other programs: ONNX and TorchScript, with what they say of themselves."""

import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import onnx
import torch

from deep_speaker.export.tracing import Export, Input, check_equal, trace
from deep_speaker.system.files import replacing_file
from deep_speaker.voices.onnx_embedder import start_session

OUTPUT = "embedding"
OPSET = 17  # of ONNX: known to programs since 2022
METADATA = "metadata.json"  # in the archive that a TorchScript file is
NONE: Mapping[str, str] = MappingProxyType({})


def export_onnx(
    checkpoint: Path,
    output: Path,
    extra_metadata: Mapping[str, str] = NONE,
    takes: Input = "samples",
) -> None:
    """Write the path from samples, or from normalised frames, to an embedding as an ONNX file.

    The output `embedding` is float32, shape (dim,), of unit length. Metadata properties are those
    of `tracing.describe`, and `name`.

    Args:
        checkpoint: a file of a phase, or a model folder.
        output: gets its name only when whole.
        extra_metadata: further properties, or others in place of those; `name` is else the
            output's.
        takes: `samples`, float32 (num_samples,), on the scale of 16-bit integers. Or `frames`,
            float32 (1, num_frames, bins): those of the utterance that are voiced, normalised as the
            metadata say; of an experiment by sample_crops those of one crop.

    Raises:
        ValueError: the checkpoint cannot be read, or the file would give other embeddings.
    """
    export = trace(checkpoint, {"name": output.stem} | dict(extra_metadata), takes)
    model = convert(export)
    onnx.helper.set_model_props(model, export.metadata)
    content = model.SerializeToString()
    session = start_session(content)
    check_equal(export, lambda inputs: session.run(None, {takes: inputs.numpy()})[0])
    with replacing_file(output, "wb") as file:
        file.write(content)


def export_torchscript(
    checkpoint: Path,
    output: Path,
    extra_metadata: Mapping[str, str] = NONE,
    takes: Input = "samples",
) -> None:
    """Write the same as a file that torch.jit.load opens; its `metadata.json` holds the metadata.

    Arguments and errors are those of `export_onnx`.
    """
    export = trace(checkpoint, {"name": output.stem} | dict(extra_metadata), takes)
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls TorchScript deprecated
        metadata = json.dumps(export.metadata, indent=1)
        torch.jit.save(export.traced, content, _extra_files={METADATA: metadata})
        content.seek(0)
        loaded = torch.jit.load(content)
    check_equal(export, lambda inputs: loaded(inputs).numpy())
    with replacing_file(output, "wb") as file:
        file.write(content.getvalue())


def convert(export: Export) -> onnx.ModelProto:
    """Return a graph as an ONNX model."""
    axes = {0 if export.takes == "samples" else 1: f"num_{export.takes}"}
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "model.onnx"
        warnings.simplefilter("ignore")  # deprecated; torch's other exporter unrolls GRU layers
        torch.onnx.export(
            export.traced,
            (export.example,),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=[export.takes],
            output_names=[OUTPUT],
            dynamic_axes={str(export.takes): axes},
        )
        return onnx.load(path)
