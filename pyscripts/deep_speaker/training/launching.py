"""Several ranks of one command on this machine, which torch's launcher starts and ends."""

import logging
import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from deep_speaker.system.command import available_cores

# By SIGTERM, before or after the rank could deal with it.
ENDED = (-signal.SIGTERM, 128 + signal.SIGTERM)


def launch(num_ranks: int) -> int:
    """Run this command line as several ranks, and return the exit status.

    The first rank speaks; of another one only its last line is shown, where that one fails.
    """
    # Of a failure, the launcher logs many lines; without a network, ranks warn of host names.
    logging.disable()
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ["OMP_NUM_THREADS"] = str(max(1, available_cores() // num_ranks))
    with TemporaryDirectory() as logs:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=num_ranks,
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            local_addr="127.0.0.1",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(logs, dict.fromkeys(range(1, num_ranks), Std.ERR)),
        )
        try:
            elastic_launch(config, sys.executable)(*sys.argv)
        except SignalException as error:
            return 128 + error.sigval
        except ChildFailedError as error:
            return _tell(error, Path(logs))
    return 0


def _tell(error: ChildFailedError, logs: Path) -> int:
    """Show why a rank failed unless the first one has said so; return the exit status."""
    number, failure = min(
        error.failures.items(),
        # The launcher itself ends by SIGTERM those that did not fail, in order if they are ready.
        key=lambda item: (item[1].exitcode in ENDED, item[1].exitcode < 0, item[0]),
    )
    if failure.exitcode < 0:
        print(f"rank {number} was {killed_by(-failure.exitcode)}", file=sys.stderr)
        return 128 - failure.exitcode  # as of a shell's command
    if number > 0:
        log = next(logs.glob(f"*/*/{number}/stderr.log")).read_text(errors="replace")
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
