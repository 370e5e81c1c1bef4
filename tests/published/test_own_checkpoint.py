"""Checkpoints of this recipe as initial models."""

from pathlib import Path

import pytest
import torch

from deep_speaker.config import Experiment
from deep_speaker.networks.checkpoints import save_checkpoint
from deep_speaker.published.importing import import_weights
from support.model_folders import make_trained
from support.tiny_data import make_experiment


def write(folder: Path, name: str = "best.pt") -> Path:
    save_checkpoint(folder / "finetuning" / name, make_trained())
    return folder / "finetuning" / name


@pytest.mark.parametrize("name", ["best.pt", "last.pt", "moved.model"])
def test_a_checkpoint_of_any_phase_becomes_an_initial_model(name: str, tmp_path: Path) -> None:
    """By a config that differs in all but the network and its input."""
    path = write(tmp_path, name)
    found = import_weights(path, make_experiment(pretraining={"epochs": 9}, seed=4))
    assert (found.phase, found.epochs, found.speakers) == ("initial_model", 0, [])
    expected = torch.load(path)["network"]
    assert found.network.keys() == expected.keys()
    assert all(torch.equal(found.network[key], value) for key, value in expected.items())


def test_another_network_is_named_in_one_line(tmp_path: Path) -> None:
    path = write(tmp_path)
    other = Experiment.model_validate(
        make_experiment().model_dump(mode="json") | {"network": {"name": "tdnn"}}
    )
    told = r"best\.pt: trained with network\.name rescnn, not tdnn: name "
    with pytest.raises(ValueError, match=told + "the config it was trained by"):
        import_weights(path, other)
    (tmp_path / "config.yaml").touch()
    with pytest.raises(ValueError, match=rf"{told}{tmp_path}/config\.yaml, or") as caught:
        import_weights(path, other)
    assert "\n" not in str(caught.value)
    message = r"network\.channels \[4, 8\], not \[8, 16\]: --set network.channels=\[4, 8\], or name"
    content = make_experiment().model_dump(mode="json")
    content["network"]["channels"] = [8, 16]
    with pytest.raises(ValueError, match=message):
        import_weights(path, Experiment.model_validate(content))


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    trained = make_trained()
    trained.network["affine.bias"][0] = torch.nan
    save_checkpoint(tmp_path / "best.pt", trained)
    with pytest.raises(ValueError, match=r"best\.pt: weights that are not finite: affine\.bias"):
        import_weights(tmp_path / "best.pt", make_experiment())
