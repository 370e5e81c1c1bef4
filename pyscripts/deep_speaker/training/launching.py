"""Several ranks of one command on this machine, as torchrun starts them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from tempfile import TemporaryFile

from deep_speaker.system.command import available_cores
from deep_speaker.training.ranks import ENDED_BY_ANOTHER

SECONDS_TO_END = 5


def launch(num_ranks: int) -> int:
    """Run this command line as several ranks; returns the exit status.

    The first rank speaks; of another one only its last line is shown, where that one fails.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environment = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(num_ranks),
        "OMP_NUM_THREADS": str(max(1, available_cores() // num_ranks)),
    }
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with ExitStack() as stack:
        logs = [stack.enter_context(TemporaryFile("w+")) for _ in range(num_ranks)]
        ranks: list[subprocess.Popen] = []
        stack.callback(_end, ranks)
        for i, log in enumerate(logs):
            of_rank = environment | {"RANK": str(i), "LOCAL_RANK": str(i)}
            command = [sys.executable, *sys.argv]
            ranks.append(subprocess.Popen(command, env=of_rank, stderr=log if i else None))
        status, failed = _wait(ranks)
        if failed:
            logs[failed].seek(0)
            print(f"rank {failed}:", *logs[failed].readlines()[-1:], file=sys.stderr)
        return status


def _wait(ranks: Sequence[subprocess.Popen]) -> tuple[int, int]:
    """The exit status of all together, and which rank it is of where it is not 0."""
    while not any(statuses := [rank.poll() for rank in ranks]):
        if all(status == 0 for status in statuses):
            return 0, 0
        with suppress(KeyboardInterrupt):  # the ranks were interrupted as well
            time.sleep(0.1)
    for rank in ranks:
        with suppress(subprocess.TimeoutExpired):
            rank.wait(SECONDS_TO_END)  # the same mistake may end all: let them speak
    failed = [(rank.poll() or 0, i) for i, rank in enumerate(ranks) if rank.poll()]
    own = [(status, i) for status, i in failed if status != ENDED_BY_ANOTHER]
    return (own or failed)[0]


def _end(ranks: Sequence[subprocess.Popen]) -> None:
    for rank in ranks:
        rank.terminate()
    for rank in ranks:
        rank.wait()
