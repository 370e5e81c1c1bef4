"""Processes that train together on this machine, for tests of what each of them finds."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing

# Forks need not import torch again, but cannot use a GPU that their parent uses.
START_METHOD = "spawn" if torch.cuda.is_available() else "fork"


def run_in_ranks(function: Callable[[], Any], num_ranks: int, folder: Path) -> list[Any]:
    """Call a function, which has to join the ranks, in as many processes; return what each gave.

    Args:
        function: of a module, or a partial of one.
        folder: for the results: tensors, numbers and containers of them.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    torch.multiprocessing.start_processes(
        _run_rank, (function, num_ranks, port, folder), num_ranks, start_method=START_METHOD
    )
    return [torch.load(folder / f"{rank}.pt") for rank in range(num_ranks)]


def _run_rank(
    rank: int, function: Callable[[], Any], num_ranks: int, port: int, folder: Path
) -> None:
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(num_ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    torch.save(function(), folder / f"{rank}.pt")
