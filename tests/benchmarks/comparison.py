"""Comparisons: this recipe beside others, in turn, in one process of one run.

Seconds differ between machines and between hours of one; a ratio of two sides that took turns holds
better. Each side runs once to warm up, and then `ROUNDS` times.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.machine import watch_load

OURS = "this recipe"
ROUNDS = 5


@dataclass(frozen=True)
class Side:
    """One way to do the work.

    Attributes:
        run: does it once.
        amount: of the work in a run, in the comparison's unit.
        wanted: how many times as fast this recipe is to be, at least; None: nothing is aimed at.
    """

    run: Callable[[], object]
    amount: float
    wanted: float | None = None


@dataclass
class Timed:
    """What a side took.

    Attributes:
        seconds: of each round.
    """

    amount: float
    wanted: float | None
    seconds: list[float] = field(default_factory=list)

    @property
    def speed(self) -> float:
        """Units a second, by the median of the rounds."""
        return self.amount / statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """The share of the median by which half of the rounds differ from it at most."""
        middle = statistics.median(self.seconds)
        return statistics.median(abs(each - middle) for each in self.seconds) / middle


@dataclass
class Comparison:
    """How fast one piece of work was done by this recipe and by others.

    Attributes:
        stage: of run.sh.
        work: what was done.
        unit: of it; speeds are in units a second.
        sides: by name; this recipe's is `OURS`. Without it they are limits of the machine.
        goal: a speed that is aimed at.
        load: share of the cores' time that other processes took meanwhile, 0 to 1.
    """

    stage: str
    work: str
    unit: str
    sides: dict[str, Timed]
    goal: float | None
    load: float

    def ratio(self, name: str) -> float:
        """Return our speed by that of another side: the median of the rounds' own ratios."""
        ours, other = self.sides[OURS], self.sides[name]
        pairs = zip(ours.seconds, other.seconds, strict=True)
        return statistics.median((ours.amount / mine) / (other.amount / its) for mine, its in pairs)

    def missed(self) -> list[str]:
        """Say what is aimed at, and not reached."""
        if OURS not in self.sides:
            return []
        slow = [
            f"{self.ratio(name):.2f} of the speed of {name}, wanted {side.wanted:g}"
            for name, side in self.sides.items()
            if side.wanted is not None and self.ratio(name) < side.wanted
        ]
        speed = self.sides[OURS].speed
        if self.goal is not None and speed < self.goal:
            slow.append(f"{speed:,.0f} {self.unit}, wanted {self.goal:,.0f}")
        return slow


def compare(
    stage: str, work: str, unit: str, sides: Mapping[str, Side], goal: float | None = None
) -> Comparison:
    """Run all sides in turn, and time them."""
    timed = {name: Timed(side.amount, side.wanted) for name, side in sides.items()}
    with watch_load() as load:
        for number in range(ROUNDS + 1):
            for name, side in sides.items():
                began = time.perf_counter()
                side.run()
                if number:
                    timed[name].seconds.append(time.perf_counter() - began)
    return Comparison(stage, work, unit, timed, goal, load.share)
