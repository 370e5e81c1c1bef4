"""Devices that networks run on, and the precision of their arithmetic."""

import ctypes
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from torch import Tensor, nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)
# Options of glibc's mallopt (malloc.h).
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def choose_device(name: str) -> torch.device:
    """Return the device that --device names; `auto` takes a GPU where there is one.

    Raises:
        ValueError: the device is unknown, or not on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"--device {name!r}: expected auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"--device {name!r}: expected auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"--device {name!r}: this machine has {torch.cuda.device_count()} GPUs")
    return device


def has_bfloat16(device: torch.device) -> bool:
    """Tell whether the hardware names bfloat16 arithmetic; on a CPU it need not be faster."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def move(values: Tensor, device: torch.device) -> Tensor:
    """Move values from the CPU's memory to a device, without waiting for what it computes."""
    if device.type == "cuda" and values.device.type == "cpu":
        values = values.pin_memory()  # from other memory, CUDA may wait
    return values.to(device, non_blocking=True)


def to_device(network: AnyModule, device: torch.device) -> AnyModule:
    """Move a network, in the memory layout in which convolutions are fastest."""
    network.to(device)
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.clone(memory_format=torch.channels_last)
    return network


def all_digits() -> AbstractContextManager:
    """Return the context in which convolutions on a GPU in float32 keep all of its digits.

    By default they keep those of TF32, three decimal ones.
    """
    cudnn = torch.backends.cudnn
    return cudnn.flags(
        enabled=cudnn.enabled,
        benchmark=cudnn.benchmark,
        deterministic=cudnn.deterministic,
        allow_tf32=False,
    )


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """Return the context in which convolutions and products of matrices are in a precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def keep_memory() -> None:
    """Have this process reuse the memory of large tensors, where the C library can be told to.

    glibc gives blocks of 32 MB or more back to the system, and the next step gets them anew, to be
    cleared page by page, which takes up to half as long as the arithmetic. For training, whose
    steps are alike: tensors of ever other sizes would leave holes that none of them fits.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(M_MMAP_MAX, 0)
        library.mallopt(M_TRIM_THRESHOLD, -1)
