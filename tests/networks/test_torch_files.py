"""Files of torch.save: what is refused, and as what."""

import argparse
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from deep_speaker.config import read_experiment
from deep_speaker.networks.checkpoints import load_checkpoint
from deep_speaker.networks.torch_files import read_torch_file
from deep_speaker.published.importing import import_weights
from support.experiment_files import CONF

REMEDY = "name another, or fetch or make it anew"
FORMS = {"zip": True, "of torch before 1.6": False}


class Command:
    """Unpickled, it would run a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("exit 3",)


# What programs put beside the weights, or in their place; and how it is named.
OBJECTS = {
    "a whole network": (nn.Linear(2, 3), "torch.nn.modules.linear.Linear"),
    "the command line": ({"args": argparse.Namespace(epochs=3)}, "argparse.Namespace"),
    "a number of NumPy": ({"eer": np.float64(2.5)}, r"numpy\.\w+\.multiarray.scalar"),
    "a command": ({"model": Command()}, r"\w+.system"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("content", "name"), OBJECTS.values(), ids=OBJECTS)
def test_a_refused_pickle_is_called_what_it_is(
    content: object, name: str, form: str, tmp_path: Path
) -> None:
    path = tmp_path / "best.pt"
    torch.save(content, path, _use_new_zipfile_serialization=FORMS[form])
    line = (
        rf"^{path}: holds Python objects besides weights \({name}\), and unpickling them could run "
        r"any code: have the program that wrote it save the state dict alone$"
    )
    for read in (read_torch_file, load_checkpoint):
        with pytest.raises(ValueError, match=line):
            read(path)


def test_published_weights_are_refused_alike(tmp_path: Path) -> None:
    torch.save({"model": nn.Linear(2, 3)}, tmp_path / "m.model")
    experiment = read_experiment(CONF / "resnetse34l.yaml")
    with pytest.raises(ValueError, match=r"/m\.model: holds Python objects besides weights "):
        import_weights(tmp_path / "m.model", experiment)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


def overwrite(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[20:200] = bytes(180)
    path.write_bytes(content)


def replace_by_text(path: Path) -> None:
    path.write_text("<html>404: not found</html>\n")


def replace_by_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps([1, 2], protocol=4))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("damage", [cut, overwrite, replace_by_text, replace_by_pickle])
def test_a_damaged_or_foreign_file_is_called_that(
    damage: Callable[[Path], None], form: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.model"
    torch.save({"w": torch.randn(99)}, path, _use_new_zipfile_serialization=FORMS[form])
    damage(path)
    with pytest.raises(
        ValueError, match=rf"^{path}: not a file of torch.save, or damaged \(\w+\): {REMEDY}$"
    ):
        read_torch_file(path)


@pytest.mark.parametrize("form", FORMS)
def test_weights_and_plain_values_are_read(form: str, tmp_path: Path) -> None:
    content: dict[str, Any] = {"w": torch.randn(3), "names": ["a"], "state": OrderedDict(b=2.5)}
    path = tmp_path / "m.model"
    torch.save(content, path, _use_new_zipfile_serialization=FORMS[form])
    found = read_torch_file(path)
    assert torch.equal(found.pop("w"), content.pop("w"))
    assert found == content


def test_a_missing_file_is_called_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"/m\.model: no such file: {REMEDY}$"):
        read_torch_file(tmp_path / "m.model")
