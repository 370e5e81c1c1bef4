"""Training on several ranks: `launching` or torchrun starts them, each with a part of a batch.

Every rank computes the loss of the whole batch, so that negatives are searched among the
utterances of all (Deep Speaker, section 3.4). Its gradients by the embeddings are those of one
process with the whole batch; only batch normalisation sees just the rank's own part, as is usual,
unless it is synchronised (`batch_norm`).
With W ranks, each of them has the gradient g of the same loss by all embeddings. The backward of
`gather_with_gradients` sums over ranks and hands each rank W times its part of g, which flows into
its copy of the network; the mean over ranks that follows (`parallel`, or `average_gradients`)
divides the sum of the parts by W. Weights of the loss have the whole gradient on every rank
already, and their mean is just that.
"""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from deep_speaker.system.stopping import end_with_parent

Value = TypeVar("Value")
# A rank that misses another one waits so long for the launcher to end it, then tells its error.
SECONDS_TO_BE_ENDED = 10
GO_ON = "--resume goes on from the last checkpoint"


def world_size() -> int:
    """Return how many ranks train together; 1 without a process group."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_launched() -> bool:
    """Tell whether this process is one of the ranks that torchrun or `launching` started."""
    return "WORLD_SIZE" in os.environ and "RANK" in os.environ


def rank() -> int:
    """Return the number of this process among the ranks; 0 without a process group."""
    return dist.get_rank() if dist.is_initialized() else 0


@contextmanager
def start(device: torch.device) -> Iterator[torch.device]:
    """Join the ranks that torchrun started, over gloo on CPU and NCCL on CUDA; leave at the end.

    Args:
        device: `cuda` stands for the GPU whose number is the rank's on its machine.

    Returns:
        The device of this rank. A process that torchrun did not start is alone, with `device`.

    Raises:
        ValueError: more ranks on this machine than GPUs.
    """
    if not is_launched():
        yield device
        return
    _end_with_launcher()
    device = own_device(device)
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        yield device
        dist.barrier()  # they end well together, or not
    except Exception as error:
        _await_the_launcher(error)
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def own_device(device: torch.device) -> torch.device:
    """Return the device of this rank: of the GPUs of its machine that with its number there."""
    if device.type == "cuda":
        local, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if local >= gpus:
            raise ValueError(f"rank {local} of this machine, which has {gpus} GPUs: one each")
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    return device


def _end_with_launcher() -> None:
    """End this rank when the launcher is killed: nobody would tell of it, or end it."""
    with suppress(AttributeError, OSError):  # on another system than Linux, or an old one
        end_with_parent(os.pidfd_open(os.getppid()))


def _await_the_launcher(error: Exception) -> None:
    """Let a rank tell its own mistake whole, and one that only misses another rank tell nothing.

    The launcher ends all ranks of its machine by SIGTERM as soon as one of them has ended. Where
    that does not come, the missing rank was of another machine.

    Raises:
        ConnectionError: so it is.
    """
    lost_connection = isinstance(error, RuntimeError) and "gloo" in str(error)
    if lost_connection or isinstance(error, dist.DistError):
        first = os.environ.get("LOCAL_RANK", "0") == "0"  # of this machine: it speaks for all
        time.sleep(SECONDS_TO_BE_ENDED * (1 if first else 2))
        raise ConnectionError(
            f"rank {os.environ['RANK']} has lost a rank of another machine, which says why; {GO_ON}"
        ) from error
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


class _Gather(torch.autograd.Function):
    # torch.distributed.nn's all_gather does the same, but is deprecated as of torch 2.13.

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return gather(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(world_size())[rank()]


def gather_with_gradients(embeddings: Tensor) -> Tensor:
    """Gather embeddings (batch of a rank, dim) of all ranks in turn: shape (batch, dim).

    The gradient of a rank's embeddings is the sum over ranks of those of the gathered ones. Every
    rank has to call it, with equally many embeddings, and to go backward through it.
    """
    return _Gather.apply(embeddings) if world_size() > 1 else embeddings


def gather(values: Tensor) -> Tensor:
    """Gather values (batch of a rank, ...) of all ranks, without gradients: (batch, ...)."""
    if world_size() == 1:
        return values
    values = values.contiguous()
    parts = [torch.empty_like(values) for _ in range(world_size())]
    dist.all_gather(parts, values)
    return torch.cat(parts)


def gather_objects(value: Value) -> list[Value]:
    """Return the values of all ranks in turn, on every rank."""
    if world_size() == 1:
        return [value]
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Set the gradients of parameters to their means over the ranks."""
    if world_size() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return
    together = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(together)
    together /= world_size()
    sizes = [gradient.numel() for gradient in gradients]
    for gradient, mean in zip(gradients, together.split(sizes), strict=True):
        gradient.copy_(mean.view_as(gradient))


def parallel(network: nn.Module) -> nn.Module:
    """Wrap a network so that backward passes leave the means of gradients over the ranks."""
    return DistributedDataParallel(network) if world_size() > 1 else network


def share_statistics(network: nn.Module) -> None:
    """Set the statistics of batch normalisation, which weights are not, to the first rank's."""
    if world_size() > 1:
        for buffer in network.buffers():
            dist.broadcast(buffer, 0)


def without_exchange(network: nn.Module) -> AbstractContextManager:
    """Have the ranks of a `parallel` network add up gradients, each for itself, in a block."""
    return network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()


def broadcast(value: Value) -> Value:
    """Return the value of the first rank, on every rank."""
    if world_size() == 1:
        return value
    holder = [value]
    dist.broadcast_object_list(holder)
    return holder[0]
