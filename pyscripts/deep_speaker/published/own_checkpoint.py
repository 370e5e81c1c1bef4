"""Checkpoints of this recipe as a source of weights: best.pt or last.pt of any phase."""

from pathlib import Path

from torch import Tensor

from deep_speaker.config import Experiment
from deep_speaker.config.folders import CONFIG
from deep_speaker.networks.checkpoints import KEYS, load_checkpoint, trained_with
from deep_speaker.networks.torch_files import read_torch_file
from deep_speaker.published.model_folder import SECTIONS, check_finite
from deep_speaker.published.source import Source


def is_checkpoint(path: Path) -> bool:
    """Tell whether a file is a checkpoint of this recipe."""
    try:
        content = read_torch_file(path)
    except ValueError:  # of another form, which its own reader tells of
        return False
    return isinstance(content, dict) and content.keys() >= KEYS


def checkpoint_source(path: Path) -> Source:
    """Return a checkpoint as a source, whose input is that of the experiment that trained it.

    Raises:
        ValueError: it was trained by another version.
    """
    checkpoint = load_checkpoint(path)
    content = trained_with(checkpoint)
    beside = path.parent.with_name(CONFIG)

    def read_weights(_: Path, __: Experiment) -> dict[str, Tensor]:
        check_finite(checkpoint.network, str(path), "name another epoch, or train anew")
        return checkpoint.network

    return Source(
        config=str(beside) if beside.is_file() else "the config it was trained by",
        trained_with={
            f"{section}.{key}": value
            for section in SECTIONS
            for key, value in content[section].items()
        },
        read=read_weights,
        their_name=str,
        convert=lambda _, weight: weight,
        voice_activity=Experiment.model_validate(content).voice_activity,
    )
