"""Several ranks of one command, which torch's launcher (that of torchrun) starts and ends.

It runs on every machine that takes part. They meet at a port of one of them, which has to stay.
"""

import logging
import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.elastic.rendezvous import (
    RendezvousClosedError,
    RendezvousError,
    RendezvousTimeoutError,
)
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from deep_speaker.system.command import available_cores
from deep_speaker.training.ranks import GO_ON

# By SIGTERM, before or after the rank could deal with it.
ENDED = (-signal.SIGTERM, 128 + signal.SIGTERM)
WHY_NOT_MET: dict[type[RendezvousError], str] = {
    RendezvousTimeoutError: "not as many machines as --nodes have come",
    RendezvousClosedError: "the ranks of an earlier run are about to end there",
}


def launch(num_ranks: int, num_nodes: int = 1, rendezvous: str | None = None) -> int:
    """Run this command line as several ranks, and return the exit status.

    Of a machine, its first rank speaks; of another one only its last line is shown, where that one
    fails.

    Args:
        num_ranks: on this machine.
        num_nodes: machines, on each of which this has to be called.
        rendezvous: host and port where they meet.

    Raises:
        ValueError: several machines without a place to meet.
        ConnectionError: they did not meet, or the one where they met is gone.
    """
    if num_nodes > 1 and not rendezvous:
        raise ValueError(f"--nodes {num_nodes}: name a --rendezvous, host:port of one of them")
    logging.disable()  # of a failure, the launcher logs many lines
    os.environ["OMP_NUM_THREADS"] = str(max(1, available_cores() // num_ranks))
    with TemporaryDirectory() as logs:
        config = LaunchConfig(
            min_nodes=num_nodes,
            max_nodes=num_nodes,
            nproc_per_node=num_ranks,
            run_id="training",
            rdzv_backend="c10d",
            rdzv_endpoint=rendezvous or "127.0.0.1:0",
            local_addr=None if rendezvous else "127.0.0.1",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(logs, dict.fromkeys(range(1, num_ranks), Std.ERR)),
        )
        try:
            elastic_launch(config, sys.executable)(*sys.argv)
        except SignalException as error:
            return 128 + error.sigval
        except ChildFailedError as error:
            return _tell(error, Path(logs))
        except RendezvousError as error:
            why = WHY_NOT_MET.get(type(error), "nothing answers there, or not any more")
            raise ConnectionError(f"--rendezvous {rendezvous}: {why}; {GO_ON}") from error
    return 0


def _tell(error: ChildFailedError, logs: Path) -> int:
    """Show why a rank failed unless it has said so itself; return the exit status."""

    def guilt(item: tuple[int, ProcessFailure]) -> tuple[bool, bool, int]:
        # The launcher itself ends by SIGTERM those that did not fail, in order if they are ready.
        number, failure = item
        return failure.exitcode in ENDED, failure.exitcode < 0, number

    number, failure = min(error.failures.items(), key=guilt)
    if failure.exitcode < 0:
        print(f"rank {number} was {killed_by(-failure.exitcode)}", file=sys.stderr)
        return 128 - failure.exitcode  # as of a shell's command
    if failure.local_rank > 0:
        log = next(logs.glob(f"*/*/{failure.local_rank}/stderr.log")).read_text(errors="replace")
        print(f"rank {number}:", *log.splitlines()[-1:], file=sys.stderr)
    return failure.exitcode


def killed_by(number: int) -> str:
    """Say by which signal a process was killed, and what that may mean.

    >>> killed_by(11)
    'killed by SIGSEGV (11)'
    """
    known = {each.value for each in signal.Signals}
    name = signal.Signals(number).name if number in known else "a signal"
    why = "; the system does so when memory runs out" if number == signal.SIGKILL else ""
    return f"killed by {name} ({number}){why}"
