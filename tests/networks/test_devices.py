"""Devices by name, and the layouts and precision of what runs there."""

import ctypes
import subprocess
import sys

import pytest
import torch

from deep_speaker.networks.devices import all_digits, autocast, choose_device, to_device
from deep_speaker.networks.rescnn import ResidualBlock


@pytest.mark.parametrize(("gpus", "expected"), [(0, "cpu"), (2, "cuda")])
def test_auto_takes_a_gpu_where_there_is_one(
    gpus: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    assert choose_device("auto").type == expected


@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_gpu_is_chosen_by_number(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device(name) == torch.device(name)
    with pytest.raises(ValueError, match=r"--device 'cuda:2': .* 2 GPUs"):
        choose_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "cuda:-1", "meta", "mps"])
def test_an_unknown_device_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match=f"--device '{name}': .*auto, cpu, cuda"):
        choose_device(name)


def test_convolutions_keep_all_digits_inside_the_context_alone() -> None:
    cudnn = torch.backends.cudnn
    before = (cudnn.enabled, cudnn.allow_tf32)
    with all_digits():
        assert (cudnn.enabled, cudnn.allow_tf32) == (before[0], False)
    assert (cudnn.enabled, cudnn.allow_tf32) == before


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_convolutions_run_in_the_precision(precision: str) -> None:
    with autocast(torch.device("cpu"), precision):
        outputs = torch.nn.Conv2d(1, 2, 3)(torch.ones(1, 1, 5, 5))
    assert outputs.dtype == getattr(torch, precision)


def test_moving_a_network_changes_layouts_but_no_value() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(3).eval()
    images = torch.randn(2, 3, 6, 5)
    before = block(images)
    moved = to_device(block, torch.device("cpu"))
    weights = [parameter for parameter in moved.parameters() if parameter.dim() == 4]
    assert len(weights) == 2
    for weight in weights:
        assert weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(moved(images), before)


STEPS = """
import resource
import torch
from deep_speaker.networks.devices import keep_memory
keep_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
weights = torch.ones(9, 1024, 1024, requires_grad=True)
for _ in range(40):
    before = faults()
    (weights * 2).relu().sum().backward()
    weights.grad = None
    print(faults() - before)
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt"
)
def test_memory_of_large_tensors_is_used_again() -> None:
    """Tensors of 36 MB, 9216 pages, which the system clears for a few steps alone.

    For how many depends on where the heap begins, which is drawn anew for every process.
    """
    done = subprocess.run(
        [sys.executable, "-c", STEPS],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    first, *others = map(int, done.stdout.split())
    assert first > 2 * 9216
    assert sum(others) < len(others) * first / 4
