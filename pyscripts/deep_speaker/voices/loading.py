"""Where models lie, and how each kind is opened."""

import json
import logging
from hashlib import sha256
from pathlib import Path

from deep_speaker.system.files import RECIPE
from deep_speaker.system.origins import find_changes
from deep_speaker.voices.voice_model import Scoring, VoiceModel

SHIPPED = RECIPE / "models/small"
# As published/model_folder.py writes them, which takes seconds to import.
CONFIG, WEIGHTS = "config.yaml", "weights.safetensors"
MODEL = "model"  # the model folder of an experiment, exp/<name>/<experiment>/model


def load(path: str | Path | None = None, device: str = "auto") -> VoiceModel:
    """Open a model.

    Args:
        path: a model folder, the folder of an experiment that stage 6 has finished, or an ONNX
            file of `deep-speaker export`; None: the model that ships.
        device: auto, cpu, cuda or cuda:N; ONNX files run on the CPU.

    Raises:
        ValueError: there is no such model, or it is damaged.
    """
    place = SHIPPED if path is None else Path(path)
    if place.suffix == ".onnx":
        from deep_speaker.voices.onnx_model import open_onnx

        return open_onnx(place)
    return open_folder(find_folder(place), device)


def find_folder(place: Path) -> Path:
    """Return the model folder that a path means, seen from here or from the recipe's folder.

    Raises:
        ValueError: there is none.
    """
    for folder in (place, place / MODEL, RECIPE / place, RECIPE / place / MODEL):
        if (folder / WEIGHTS).is_file():
            return folder
    known = sorted(str(path.parent) for path in (RECIPE / "models").glob(f"*/{WEIGHTS}"))
    raise ValueError(
        f"{place}: no model there (no {WEIGHTS}): name a model folder such as "
        f"{', '.join(known) or 'models/<name>'}, a finished exp/<name>/<experiment>, or an ONNX "
        "file"
    )


def model_id(folder: Path) -> str:
    """Return the id of a model folder: of its weights and its config.

    It is the same for weights written anew: safetensors writes its header in any order.
    """
    weights = (folder / WEIGHTS).read_bytes()
    start = 8 + int.from_bytes(weights[:8], "little")
    header = json.dumps(json.loads(weights[8:start]), sort_keys=True)
    digest = sha256(header.encode() + weights[start:])
    digest.update((folder / CONFIG).read_bytes())
    return digest.hexdigest()[:16]


def warn_of_older(folder: Path) -> None:
    """Warn about the model of an experiment whose network was trained anew since."""
    for change in find_changes(folder / WEIGHTS, by_records=True):
        if change.output == folder / WEIGHTS:
            again = "run the last stage of run.sh anew to have the model of that"
            logging.warning("%s is older, as %s: %s", folder, change.reason, again)


def open_folder(folder: Path, device: str) -> VoiceModel:
    """Open a model folder."""
    # Slow to import, and not needed for ONNX files.
    from deep_speaker.config import read_experiment
    from deep_speaker.embeddings.samples import SampleEmbedder
    from deep_speaker.features.conditions import read_conditions
    from deep_speaker.networks.devices import choose_device
    from deep_speaker.published.importing import import_weights
    from deep_speaker.scoring.decision_files import read_decisions

    warn_of_older(folder)
    checkpoint = import_weights(folder, read_experiment(folder / CONFIG))
    return VoiceModel(
        str(folder),
        model_id(folder),
        SampleEmbedder(checkpoint, choose_device(device)),
        lambda: Scoring(*read_decisions(folder)),
        read_conditions(folder),
    )
