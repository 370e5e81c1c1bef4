"""A metric: how it is computed of scores, where results keep it, how tables show it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from deep_speaker.metrics.error_rates import ErrorRates, error_rates
from deep_speaker.metrics.llr_costs import LlrCost

# Verification asks whether two sides are one speaker; in the 1 + 99 protocol each enrolled side, in
# identification each test, is an anchor whose own speaker is to be told from others.
ListKind = Literal["verification", "one_plus_99", "identification"]


@dataclass(frozen=True)
class ScoredTrials:
    """The trials of a list with their scores.

    Attributes:
        scores: float, shape (trials,).
        is_target: bool, shape (trials,).
        llrs: calibrated log likelihood ratios, shape (trials,); None where there are none.
        anchors: codes of what each trial asks for, shape (trials,); None in verification.
    """

    scores: np.ndarray
    is_target: np.ndarray
    llrs: np.ndarray | None = None
    anchors: np.ndarray | None = None

    @cached_property
    def rates(self) -> ErrorRates:
        """Error rates at all thresholds."""
        return error_rates(self.scores, self.is_target)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A figure of scored trials; what it is a function of is in the classes below.

    Attributes:
        keys: its place in a row of results.json, such as ("min_dcf", "0.01").
        title: of its column in tables; empty to keep it out of them.
        digits: after the point, in tables.
        kind: of the lists whose tables show it and whose rows hold its interval.
        convention: what reads below tables.
        percent: given as 100 times the function.
        less_is_better: where tables mark or sort the best.
        interval: in results and tables, in results alone, or not computed.
    """

    keys: tuple[str, ...]
    title: str
    digits: int
    kind: ListKind
    convention: str
    percent: bool = False
    less_is_better: bool = True
    interval: Literal["shown", "kept", "none"] = "kept"

    @property
    def factor(self) -> int:
        """Factor from the function to the figure."""
        return 100 if self.percent else 1

    def applies(self, kind: ListKind, trials: ScoredTrials) -> bool:
        """Tell whether rows of a list of some kind hold the metric."""
        raise NotImplementedError

    def compute(self, trials: ScoredTrials) -> float:
        """Return the figure, unrounded."""
        raise NotImplementedError

    def in_results(self, trials: ScoredTrials) -> float:
        """Return the figure as results keep it: percents to 4 digits, others to 5."""
        return round(self.compute(trials), 4 if self.percent else 5)


@dataclass(frozen=True, kw_only=True)
class RateMetric(Metric):
    """A function of error rates; computed for every list.

    Attributes:
        function: takes rates of several curves (points, curves), gives a figure each (curves,).
    """

    function: Callable[[ErrorRates], np.ndarray]

    def applies(self, kind: ListKind, trials: ScoredTrials) -> bool:
        return True

    def compute(self, trials: ScoredTrials) -> float:
        return self.factor * float(self.function(trials.rates.as_curves())[0])


@dataclass(frozen=True, kw_only=True)
class LlrMetric(Metric):
    """A cost of log likelihood ratios; computed for every list that has them."""

    function: LlrCost

    def applies(self, kind: ListKind, trials: ScoredTrials) -> bool:
        return trials.llrs is not None

    def compute(self, trials: ScoredTrials) -> float:
        assert trials.llrs is not None
        return self.factor * self.function(trials.llrs, trials.is_target)


@dataclass(frozen=True, kw_only=True)
class AnchorMetric(Metric):
    """A mean over anchors; computed for lists of its own kind.

    Attributes:
        function: takes anchors, scores and is_target, each (trials,); gives the distinct anchors
            that count, ascending, and the figure of each.
        fewest_trials: that each anchor must have.
    """

    function: Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
    fewest_trials: int = 1

    def applies(self, kind: ListKind, trials: ScoredTrials) -> bool:
        if kind != self.kind or trials.anchors is None:
            return False
        return np.unique(trials.anchors, return_counts=True)[1].min() >= self.fewest_trials

    def compute(self, trials: ScoredTrials) -> float:
        assert trials.anchors is not None
        values = self.function(trials.anchors, trials.scores, trials.is_target)[1]
        return self.factor * float(values.mean())
