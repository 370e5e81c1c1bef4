"""Synchronised batch normalisation: torch's own in one process; over ranks, that of one process."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from deep_speaker.config import read_experiment
from deep_speaker.networks.checkpoints import copy_state
from deep_speaker.networks.registry import build_network
from deep_speaker.training import ranks
from deep_speaker.training.batch_norm import SYNCHRONISED, synchronise
from deep_speaker.training.setup import build_trainer
from support.experiment_files import CONFIGS
from support.loss_cases import make_loss
from support.rank_processes import run_in_ranks
from support.tiny_data import make_experiment
from support.training_runs import CPU

SHAPES = [(6, 3), (6, 3, 5), (4, 3, 5, 2)]


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


def step_in_float64() -> dict[str, Any]:
    """A step of two small networks on this rank's part of a batch, or in one process on all."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(12, 3, 6, 4, generator=generator, dtype=torch.float64)
    labels = torch.arange(4).repeat_interleave(3)
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ReLU(),
        nn.Flatten(), nn.BatchNorm1d(40), nn.Linear(40, 6),
    ).double()  # fmt: skip
    if ranks.world_size() > 1:
        synchronise(network)
    loss = make_loss("ge2e")
    part = inputs.chunk(ranks.world_size())[ranks.rank()]
    parallel = ranks.parallel(network)
    value, _ = loss(ranks.gather_with_gradients(parallel(part)), labels)
    value.backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    return {"loss": value.detach(), "gradients": gradients, "running": list(network.buffers())}


def step_in_ranks() -> dict[str, Any]:
    with ranks.start(CPU):
        return step_in_float64()


@pytest.mark.slow
def test_ranks_normalise_as_one_process_with_torchs_own_does(tmp_path: Path) -> None:
    alone = step_in_float64()
    for step in run_in_ranks(step_in_ranks, 2, tmp_path):
        torch.testing.assert_close(step, alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("fixed", [True, False])
def test_fixed_statistics_stay_and_normalise_while_weights_learn(
    fixed: bool, data_dir: Path
) -> None:
    experiment = make_experiment(pretraining={"fixed_batch_norm": fixed})
    built = build_trainer(experiment, "pretraining", data_dir, None, CPU)
    before = copy_state(built.network)
    built.train_epoch(0, [])
    built.train_epoch(1, [])
    changed = {
        name.rpartition(".")[2]
        for name, tensor in built.network.state_dict().items()
        if not torch.equal(tensor, before[name])
    }
    statistics = {"running_mean", "running_var", "num_batches_tracked"}
    assert {"weight", "bias"} <= changed
    assert changed & statistics == (set() if fixed else statistics)
    for norm in (each for each in built.network.modules() if isinstance(each, _BatchNorm)):
        assert norm.training != fixed
