"""The pace of a network: the precision and the threads in which it computes, chosen by trial.

Which of them takes the least time depends on the processor, on the network and on what else the
machine does: bfloat16 halves the time on one processor and only costs on another, and threads that
share cores with another process wait for each other.
"""

import argparse
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from deep_speaker.networks.devices import has_bfloat16

Precision = Literal["bfloat16", "float32"]
PRECISIONS: tuple[Precision, ...] = ("bfloat16", "float32")
ROUNDS = 2  # each candidate is timed so often at least
NEAR = 1.1  # so many times the fewest seconds are hardly more
SECONDS = 1.0  # of all timed steps together: short ones are repeated


@dataclass(frozen=True)
class Pace:
    """How a network computes.

    Attributes:
        precision: of convolutions and products of matrices.
        threads: None: as many as torch is set to.
    """

    precision: Precision = "float32"
    threads: int | None = None

    def __str__(self) -> str:
        if self.threads is None:
            return self.precision
        return f"{self.precision} on {self.threads} thread{'s' * (self.threads > 1)}"


@dataclass(frozen=True)
class Asked:
    """What is asked of a pace; None: what is faster in a trial."""

    precision: Precision | None = None
    threads: int | None = None


Step = Callable[[Pace], object]
Times = list[float]


def choose_pace(
    device: torch.device,
    asked: Asked,
    prepare: Callable[[], Step],
    agree: Callable[[Times], Times] = list,
) -> tuple[Pace, str]:
    """Choose the pace by trial steps, and set torch's threads to its own.

    Args:
        asked: what is not to be tried.
        prepare: called where there is something to try; returns what takes a step.
        agree: given the seconds of steps, returns those that all ranks go by.

    Returns:
        The pace, and the words that tell of it.
    """
    paces = list_candidates(device, asked)
    best, said = paces[0], f"computes in {paces[0]}"
    if len(paces) > 1:
        times = time_paces(paces, prepare(), agree)
        best = pick(times)
        said = ", ".join(f"{pace} {seconds:.2g} s" for pace, seconds in times.items())
        said = f"a trial step takes, in {said}; computes in {best}"
    use_threads(best)
    return best, said


def pick(times: Mapping[Pace, float]) -> Pace:
    """Pick the pace of the fewest seconds; of those within a tenth of it, that of fewest threads.

    Threads that hardly pay take a core from what makes batches, and from others. Two cores of a
    virtual machine are often one, twice: there a second thread gains nothing.

    >>> pick({Pace("bfloat16", 1): 0.165, Pace("bfloat16", 2): 0.16, Pace("float32", 1): 0.29})
    Pace(precision='bfloat16', threads=1)
    """
    enough = min(times.values()) * NEAR
    near = [pace for pace, seconds in times.items() if seconds <= enough]
    return min(near, key=lambda pace: (pace.threads or 0, times[pace]))


def list_candidates(device: torch.device, asked: Asked) -> list[Pace]:
    """List the paces to try: on a CPU both precisions if it has bfloat16, one thread and many.

    Many are as many as torch takes by itself: one per core, or OMP_NUM_THREADS.
    """
    known: Sequence[Precision] = PRECISIONS if has_bfloat16(device) else PRECISIONS[-1:]
    precisions = [asked.precision] if asked.precision else known
    if device.type != "cpu":
        return [Pace(precisions[0], asked.threads)]
    threads = [asked.threads] if asked.threads else sorted({1, torch.get_num_threads()})
    return [Pace(precision, number) for precision in precisions for number in threads]


def time_paces(
    paces: Sequence[Pace], step: Step, agree: Callable[[Times], Times]
) -> dict[Pace, float]:
    """Return the fewest seconds that a step took in each pace.

    They take turns, so that a load that passes hits all alike. Those that take over twice as long
    as another in the first step, which warms up, are not repeated if that is over a second.
    """
    first = agree([time_step(pace, step) for pace in paces])
    times = dict(zip(paces, first, strict=True))
    kept = [pace for pace in paces if times[pace] <= max(2 * min(first), SECONDS)]
    times |= dict.fromkeys(kept, math.inf)
    spent, rounds = 0.0, 0
    while rounds < ROUNDS or spent < SECONDS:
        for pace, seconds in zip(
            kept, agree([time_step(each, step) for each in kept]), strict=True
        ):
            times[pace] = min(times[pace], seconds)
            spent += seconds
        rounds += 1
    return times


def time_step(pace: Pace, step: Step) -> float:
    """Return the seconds that a step takes."""
    use_threads(pace)
    start = time.perf_counter()
    step(pace)
    return time.perf_counter() - start


def use_threads(pace: Pace) -> None:
    """Have torch compute on the threads of a pace."""
    if pace.threads is not None:
        torch.set_num_threads(pace.threads)


def add_precision_option(parser: argparse.ArgumentParser) -> None:
    """Add --precision, which `auto` leaves at None."""
    parser.add_argument(
        "--precision",
        type=read_precision,
        metavar="{auto,bfloat16,float32}",
        help="of the arithmetic (default: auto, what is faster in a trial)",
    )


def read_precision(text: str) -> Precision | None:
    """Read a precision, for argparse; auto is none."""
    for precision in PRECISIONS:
        if text == precision:
            return precision
    if text != "auto":
        raise argparse.ArgumentTypeError(f"{text!r}: expected auto, bfloat16 or float32")
    return None
