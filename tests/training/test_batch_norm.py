"""Synchronised batch normalisation: torch's own in one process; over ranks, that of one process."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from deep_speaker.config import read_experiment
from deep_speaker.networks.registry import build_network
from deep_speaker.training import ranks, trainer
from deep_speaker.training.batch_norm import SYNCHRONISED, synchronise
from deep_speaker.training.setup import build_trainer
from support.experiment_files import CONFIGS
from support.rank_processes import run_in_ranks
from support.tiny_data import make_experiment
from support.training_runs import CPU

SHAPES = [(6, 3), (6, 3, 5), (4, 3, 5, 2)]
EVERY_CHANGE = {
    "equaliser_db": 2,
    "noise_probability": 0.5,
    "frequency_mask_bins": 3,
    "time_mask_frames": 6,
}


def make_pair(dimensions: int, affine: bool = True) -> tuple[nn.Sequential, nn.Sequential]:
    """torch's normalisation of three channels and ours, with the same random weights."""
    kind = nn.BatchNorm2d if dimensions == 4 else nn.BatchNorm1d
    pair = (
        nn.Sequential(kind(3, eps=1e-3, affine=affine)),
        nn.Sequential(kind(3, eps=1e-3, affine=affine)),
    )
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in pair[0].parameters():
            parameter.normal_()
    pair[1].load_state_dict(pair[0].state_dict())
    synchronise(pair[1])
    return pair


def run(norm: nn.Module, maps: Tensor) -> list[Tensor]:
    """Two training steps and an evaluation: outputs, gradients, statistics."""
    found = []
    for step in range(2):
        inputs = (maps + step).detach().requires_grad_()
        output = norm(inputs)
        (output * torch.linspace(-1, 1, output.numel()).reshape(output.shape)).sum().backward()
        assert inputs.grad is not None
        found += [output.detach(), inputs.grad]
    found += [parameter.grad for parameter in norm.parameters() if parameter.grad is not None]
    return [*found, *norm.buffers(), norm.eval()(maps).detach()]


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("offset", [0, 1000])
def test_one_process_normalises_as_torch_does(
    shape: tuple[int, ...], affine: bool, offset: float
) -> None:
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(1)) + offset
    theirs, ours = (run(norm, maps) for norm in make_pair(len(shape), affine))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3 if offset else 1e-6)


def test_maps_of_half_precision_keep_it() -> None:
    maps = torch.randn(4, 3, 5, 2, generator=torch.Generator().manual_seed(1)).bfloat16() + 3
    maps = maps.contiguous(memory_format=torch.channels_last)
    theirs, ours = (run(norm, maps) for norm in make_pair(4))
    assert [tensor.dtype for tensor in ours] == [tensor.dtype for tensor in theirs]
    torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_normalisation_of_a_network_is_replaced(config: Path) -> None:
    with torch.device("meta"):
        network = build_network(read_experiment(config))
        names = list(network.state_dict())
        synchronise(network)
    assert list(network.state_dict()) == names
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    assert norms
    assert {type(norm) for norm in norms} <= set(SYNCHRONISED.values())


def train_an_epoch(data_dir: Path, synchronised: bool) -> dict[str, Any]:
    """Of the first epoch, by float32: the gradients of a batch, the figures, the weights then."""
    experiment = make_experiment(
        pretraining={
            "augmentation": EVERY_CHANGE,
            "batches_per_step": 2,
            "optimiser": {"name": "sgd", "momentum": 0.9},
            "speakers_per_batch": 4,
            "synchronised_batch_norm": synchronised,
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "autocast", lambda device: nullcontext())
        built = build_trainer(experiment, "pretraining", data_dir, None, CPU)
        built.network.train()
        built.compute_loss(next(iter(built.draw_batches(0)[1])))[0].backward()
        gradients = [parameter.grad for parameter in built.network.parameters()]
        figures = built.train_epoch(0, [])
    return {"gradients": gradients, "figures": figures, "weights": built.checkpoint(1, []).network}


def train_both_ways(data_dir: Path) -> list[dict[str, Any]]:
    with ranks.start(CPU):
        return [train_an_epoch(data_dir, synchronised) for synchronised in (True, False)]


@pytest.mark.slow
def test_two_ranks_train_as_one_process_does(data_dir: Path, tmp_path: Path) -> None:
    """With every augmentation; unless synchronised, batch normalisation alone differs."""
    (first, apart), (second, _) = run_in_ranks(partial(train_both_ways, data_dir), 2, tmp_path)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    alone = train_an_epoch(data_dir, True)
    torch.testing.assert_close(first, alone, rtol=1e-3, atol=1e-5)
    assert apart["figures"]["loss"] != pytest.approx(alone["figures"]["loss"], rel=1e-2)
    # One process has nothing to synchronise.
    torch.testing.assert_close(alone, train_an_epoch(data_dir, False), rtol=0, atol=0)
