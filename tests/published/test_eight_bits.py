"""Weights in 8 bits: close to what they were, at a quarter of the size."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from deep_speaker.config import read_experiment
from deep_speaker.published.eight_bits import GROUP, from_eight_bits, to_eight_bits
from deep_speaker.published.importing import import_weights
from deep_speaker.published.model_folder import write_model_folder
from support.model_folders import make_model, make_trained


def test_codes_and_steps_by_hand() -> None:
    weight = torch.zeros(2, GROUP + 1)
    weight[0, :3] = torch.tensor([127.0, -1.4, 0.6])
    weight[0, GROUP] = -254
    codes, steps = to_eight_bits(weight)
    assert codes[0, :4].tolist() == [127, -1, 1, 0]
    assert codes[0, GROUP] == -127
    assert steps.tolist() == [[1, 2], [0, 0]]
    restored = from_eight_bits(codes, steps)
    assert restored[0, :3].tolist() == [127, -1, 1]
    assert restored[0, GROUP] == -254
    assert not restored[1].any()


@pytest.mark.parametrize("shape", [(3, 5), (4, 7, 3), (2, 3, 5, 5), (1, 1)])
def test_no_weight_is_off_by_more_than_half_a_step(shape: tuple[int, ...]) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    codes, steps = to_eight_bits(weight)
    assert codes.shape == weight.shape
    error = (from_eight_bits(codes, steps) - weight).abs()
    # Half a step, and what half precision takes off the step itself, at most 127 times.
    assert error.max() <= 0.5 * steps.max() + 127 * steps.max() * 2**-11


def test_a_folder_of_8_bits_gives_back_a_network_close_to_it(tmp_path: Path) -> None:
    trained = make_trained()
    write_model_folder(tmp_path / "m", trained, "int8")
    read = import_weights(tmp_path / "m", read_experiment(tmp_path / "m/config.yaml"))
    assert read.network.keys() == trained.network.keys()
    for name, weight in read.network.items():
        expected = trained.network[name]
        assert weight.dtype == expected.dtype
        if weight.dim() > 1:
            assert 0 < (weight - expected).norm() < 0.01 * expected.norm()
        else:
            assert torch.equal(weight, expected)


def test_lost_steps_are_refused(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", "int8")
    weights = load_file(folder / "weights.safetensors")
    del weights["affine.weight.steps"]
    metadata = {"format_version": "1", "network": "rescnn", "phase": "finetuning"}
    save_file(weights, folder / "weights.safetensors", metadata)
    with pytest.raises(ValueError, match="weights of 8 bits without their steps: name another"):
        import_weights(folder, read_experiment(folder / "config.yaml"))
