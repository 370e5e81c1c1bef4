"""What a checkpoint was made of, recorded with the sum of its weights."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deep_speaker.networks.checkpoints import Checkpoint, load_checkpoint
from deep_speaker.system.origins import NOTHING, note_origins


def note_checkpoint(
    path: Path, made_of: Iterable[Path] = (), settings: Mapping[str, Any] = NOTHING
) -> None:
    """Record what a checkpoint was made of; see `note_origins`.

    What is made of it is made of its weights: it also holds the whole config, and its history.
    """
    note_origins([path], made_of, settings, {path: sum_weights(load_checkpoint(path))})


def sum_weights(checkpoint: Checkpoint) -> str:
    """Return a sum that changes with any weight of the network, or of the loss."""
    digest = hashlib.sha256()
    for state in (checkpoint.network, checkpoint.loss):
        for name, tensor in sorted(state.items()):
            digest.update(f"{name} {tuple(tensor.shape)} ".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
