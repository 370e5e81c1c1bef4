"""Subsets of a trial list that are judged apart: all of its trials, and those of one sex."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deep_speaker.metrics.intervals import Interval, SpeakerBootstrap
from deep_speaker.metrics.metric import AnchorMetric, Metric, ScoredTrials
from deep_speaker.metrics.registry import METRICS
from deep_speaker.results.lists import list_kind
from deep_speaker.results.rows import ResultRow, nest
from deep_speaker.scoring.calibration import Calibration
from deep_speaker.trials.table import TrialTable, find_same_sex, find_speakers


class TrialSubset:
    """Trials of a list that are judged together, and all that does not depend on the scores."""

    def __init__(
        self, list_name: str, name: str, trials: TrialTable, chosen: np.ndarray | slice,
        speakers: Sequence[str],
    ) -> None:  # fmt: skip
        """Draw the replicates of the trials.

        Args:
            trials: the whole list.
            chosen: bool, shape (trials,); or a slice, which copies nothing.
            speakers: of the names in the list.
        """
        self.name, self.chosen = name, chosen
        enroll, test = trials.enroll[chosen], trials.test[chosen]
        self._is_target = trials.is_target[chosen]
        self._kind = list_kind(list_name)
        self._anchors = {"one_plus_99": enroll, "identification": test}.get(self._kind)
        codes = np.unique(speakers, return_inverse=True)[1].astype(np.int32)  # of each name
        self._bootstrap = SpeakerBootstrap(codes[enroll], codes[test], self._is_target)

    def compute_row(self, scores: np.ndarray, calibration: Calibration | None) -> ResultRow:
        """Compute the figures of the scores of these trials, and their intervals."""
        llrs = None if calibration is None else calibration.llrs(scores[:, None])
        trials = ScoredTrials(scores, self._is_target, llrs, self._anchors)
        metrics = [metric for metric in METRICS if metric.applies(self._kind, trials)]
        of_anchors = [metric for metric in metrics if isinstance(metric, AnchorMetric)]
        of_pairs = [metric for metric in metrics if metric not in of_anchors]
        num_target = int(self._is_target.sum())
        row = {"num_target": num_target, "num_nontarget": len(scores) - num_target}
        row |= _figures(of_pairs, trials) | _describe_calibration(calibration)
        row |= _figures(of_anchors, trials)
        own = [each for each in metrics if each.kind == self._kind and each.interval != "none"]
        intervals = self._bootstrap.intervals(trials, own)
        return row | {"interval_95": nest({k: _rounded(v) for k, v in intervals.items()})}


def _figures(metrics: Sequence[Metric], trials: ScoredTrials) -> dict[str, Any]:
    return nest({metric.keys: metric.in_results(trials) for metric in metrics})


def _describe_calibration(calibration: Calibration | None) -> dict[str, Any]:
    if calibration is None:
        return {}
    scale, offset = calibration.weights[0], calibration.offset
    return {"calibration": {"scale": scale, "offset": offset}}


def _rounded(interval: Interval) -> Interval:
    return interval and [round(end, 5) for end in interval]


def has_both_kinds(is_target: np.ndarray) -> bool:
    """Tell whether there are targets and nontargets."""
    return bool(is_target.any()) and not is_target.all()


def find_subsets(list_name: str, trials: TrialTable, data_dir: Path) -> Iterator[TrialSubset]:
    """Yield all trials of a list, then those of one sex.

    The second where the sex of all speakers is known, and both kinds of trials are left.
    """
    speakers = find_speakers(trials.names, data_dir)
    yield TrialSubset(list_name, "all", trials, slice(None), speakers)
    same_sex = find_same_sex(trials, data_dir)
    if same_sex is not None and has_both_kinds(trials.is_target[same_sex]):
        yield TrialSubset(list_name, "same_sex", trials, same_sex, speakers)
