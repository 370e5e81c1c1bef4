"""Confidence intervals of error rates, by resampling speakers.

Trials of one speaker are not independent, so resampling trials gives intervals far too narrow. Here
as many speakers as a list has are drawn with replacement: one drawn w times brings target trials
w times, and a nontarget trial of two speakers counts the product of their numbers. The interval is
the middle 95 % of the figure over such replicates.

Sources: Bolle et al. 2004 (the subsets bootstrap) and Poh et al. 2007 resample the persons of a
biometric test; product weights for data with two crossed factors are Owen & Eckles' (2012,
"Bootstrapping data arrays of arbitrary order"). Written from memory of these papers, without
their variants.

Limits: the interval speaks of other speakers under the same conditions, list design, network and
training; it holds neither other training seeds nor other channels. Of few speakers it is too
narrow, and too low: in simulations where half of the variance of scores is the speakers' own, that
of an EER covers the EER of all speakers in 78 % of the corpora of 5 or 10 speakers, 91 % of those
of 25 and 93 % of those of 60, and mostly lies below where it does not. Errors that no trial made,
no replicate makes: near an error rate of 0 the upper end is too low. Intervals of two systems on
one list may overlap although one is better in nearly every replicate, as the same speakers are hard
for both.
"""

from typing import Any

import numpy as np
from scipy.sparse import csc_array

from deep_speaker.metrics.detection_costs import (
    P_TARGETS,
    bayes_threshold,
    detection_cost,
    llr_losses,
)
from deep_speaker.metrics.error_rates import (
    ErrorRates,
    equal_error_rates,
    error_rates,
    split_classes,
)
from deep_speaker.metrics.identification import identified_anchors
from deep_speaker.metrics.paired_trials import pair_trials

QUANTILES = (0.025, 0.975)
# Replicates use all thresholds of a list, or so many pairs of them, closer where misses are few.
THRESHOLD_PAIRS = 2000
REPLICATES_AT_ONCE = 64  # at most: rates at all thresholds stay in the cache
WEIGHTS_AT_ONCE = 2**24  # at most, of pairs of speakers: 64 MiB
# Of lists that pair more speakers than that there are fewer replicates, to take minutes at most.
MAX_WEIGHTS = 10**9  # pairs of speakers times replicates
FEWEST_REPLICATES = 200
Interval = list[float] | None  # low and high; none where both are one


class SpeakerBootstrap:
    """Replicates of a trial list, with speakers drawn anew.

    A trial counts by who is behind it, whatever its label: w of one speaker, the product of two.
    """

    def __init__(
        self,
        enroll_speaker: np.ndarray,
        test_speaker: np.ndarray,
        is_target: np.ndarray,
        num_replicates: int = 1000,
        seed: int = 0,
    ) -> None:
        """Draw the speakers of all replicates.

        Args:
            enroll_speaker: codes of speakers, 0 or more, shape (trials,).
            test_speaker: likewise.
            is_target: bool, shape (trials,).
            num_replicates: at most; fewer of lists with more than a million pairs of speakers.
        """
        self._is_target = np.asarray(is_target, dtype=bool)
        present = np.zeros(int(max(enroll_speaker.max(), test_speaker.max())) + 1, dtype=bool)
        present[enroll_speaker] = present[test_speaker] = True
        num_speakers = int(present.sum())
        row = (np.cumsum(present) - 1).astype(np.int32)
        self._speaker = row[enroll_speaker[self._is_target]]  # of target trials
        self._classes = [
            pair_trials(row[enroll_speaker[chosen]], row[test_speaker[chosen]], num_speakers)
            for chosen in (self._is_target, ~self._is_target)
        ]
        num_pairs = max(len(trials.first) for trials in self._classes)
        num_replicates = min(num_replicates, max(FEWEST_REPLICATES, MAX_WEIGHTS // num_pairs))
        draws = np.random.default_rng(seed).multinomial(
            num_speakers, np.full(num_speakers, 1 / num_speakers), num_replicates
        )
        self._weights = np.ones((num_speakers + 1, num_replicates), dtype=np.float32)
        self._weights[:-1] = draws.T

    def intervals(self, scores: np.ndarray, llrs: np.ndarray | None = None) -> dict[str, Any]:
        """95 % intervals of the figures of `metrics`, unrounded.

        None where the replicates hardly differ, as those of two speakers, or of scores without
        error; and of an infinite Cllr. Replicates without targets or nontargets are left out.

        Args:
            scores: shape (trials,), see `error_rates`.
            llrs: log likelihood ratios, likewise.

        Returns:
            An `Interval` for `eer_percent`; of `min_dcf` a dictionary by p(target), such as "0.01";
            with LLRs `act_dcf`, likewise, and `cllr`.

        Raises:
            ValueError: see `error_rates`.
        """
        counts = self._count_scores(scores)
        sums = None if llrs is None else self._sum_llrs(llrs)
        num_pairs = max(len(trials.first) for trials in self._classes)
        at_once = max(1, min(REPLICATES_AT_ONCE, WEIGHTS_AT_ONCE // num_pairs))
        parts = [
            self._figures(counts, sums, slice(start, start + at_once))
            for start in range(0, self._weights.shape[1], at_once)
        ]
        found = iter([_interval(figures) for figures in np.concatenate(parts, axis=1)])
        result: dict[str, Any] = {"eer_percent": next(found)}
        for cost in ("min_dcf", "act_dcf")[: 1 if llrs is None else 2]:
            result[cost] = {f"{p_target:g}": next(found) for p_target in P_TARGETS}
        return result if llrs is None else result | {"cllr": next(found)}

    def _count_scores(self, scores: np.ndarray) -> list[csc_array]:
        """Trials of each pair from one threshold to the next, per class."""
        thresholds = choose_thresholds(error_rates(scores, self._is_target))
        parts = split_classes(scores, self._is_target)
        return [
            trials.count_bins(np.searchsorted(thresholds, part, side="right") - 1, len(thresholds))
            for trials, part in zip(self._classes, parts, strict=True)
        ]

    def _sum_llrs(self, llrs: np.ndarray) -> list[np.ndarray]:
        """Errors at each Bayes threshold, and losses, of each pair: (figures, pairs) per class."""
        targets, nontargets = split_classes(llrs, self._is_target)
        thresholds = [bayes_threshold(p_target) for p_target in P_TARGETS]
        values = (
            [*(targets < threshold for threshold in thresholds), llr_losses(-targets)],
            [*(nontargets >= threshold for threshold in thresholds), llr_losses(nontargets)],
        )
        sums = [
            np.stack([trials.sum_by_pair(row) for row in rows])
            for trials, rows in zip(self._classes, values, strict=True)
        ]
        # 0 times infinity would warn, and be no number either.
        return [np.where(np.isinf(part), np.nan, part).astype(np.float32) for part in sums]

    def _figures(
        self, counts: list[csc_array], sums: list[np.ndarray] | None, replicates: slice
    ) -> np.ndarray:
        """Figures of some replicates, in the order of `intervals`: shape (figures, replicates)."""
        weights = [trials.weights(self._weights[:, replicates]) for trials in self._classes]
        rejected = [_cumulate(part @ weight) for part, weight in zip(counts, weights, strict=True)]
        kept = np.logical_and(*(part[-1] > 0 for part in rejected))
        totals = [part[-1, kept] for part in rejected]
        miss, correct = (
            part[:, kept] / total for part, total in zip(rejected, totals, strict=True)
        )
        figures = [100 * equal_error_rates(miss, 1 - correct)]
        figures += [detection_cost(miss, 1 - correct, p).min(axis=0) for p in P_TARGETS]
        if sums is not None:
            of_targets, of_nontargets = (
                (part @ weight)[:, kept] / total
                for part, weight, total in zip(sums, weights, totals, strict=True)
            )
            figures += map(detection_cost, of_targets[:-1], of_nontargets[:-1], P_TARGETS)
            figures.append((of_targets[-1] + of_nontargets[-1]) / 2)
        return np.stack(figures)

    def accuracy_interval(self, anchors: np.ndarray, scores: np.ndarray) -> Interval:
        """95 % interval of the `identification_accuracy`, by resampling the anchors' speakers.

        A share (0 to 1), unrounded. Whom an anchor is to be told from stays as it is.

        Args:
            anchors: see `identification_accuracy`.
            scores: shape (trials,).

        Raises:
            ValueError: see `identification_accuracy`.
        """
        complete, identified = identified_anchors(anchors, scores, self._is_target)
        with_positive, trial = np.unique(np.asarray(anchors)[self._is_target], return_index=True)
        speaker = self._speaker[trial[np.isin(with_positive, complete)]]
        of_speakers = self._weights[:-1]
        num_anchors = np.bincount(speaker, minlength=len(of_speakers)) @ of_speakers
        num_found = np.bincount(speaker, identified, len(of_speakers)) @ of_speakers
        kept = num_anchors > 0
        return _interval(num_found[kept] / num_anchors[kept])


def choose_thresholds(rates: ErrorRates) -> np.ndarray:
    """All thresholds but that of accepting nothing; or some, the lowest included.

    Some are the two ends of the ROC's steps at shares of misses whose spaces are as their binomial
    deviations (even arc sines). An error rate is then off by less than the space there, 0.05 % at
    10 % and 0.02 % at 2 %, and by far less where the ROC is smooth; a minDCF by less than 0.001.
    """
    if len(rates.miss) <= 2 * THRESHOLD_PAIRS:
        return rates.thresholds[:-1]
    steps = np.sin(np.linspace(0, np.pi / 2, THRESHOLD_PAIRS)) ** 2
    starts = np.searchsorted(rates.miss, steps)
    ends = np.searchsorted(rates.miss, steps, side="right") - 1
    chosen = np.unique(np.concatenate([starts, ends]))
    return rates.thresholds[chosen[chosen < len(rates.thresholds) - 1]]


def _cumulate(counts: np.ndarray) -> np.ndarray:
    """What is rejected before each bin, and at last everything: float64, (bins + 1, replicates)."""
    rejected = np.zeros((len(counts) + 1, counts.shape[1]))
    np.cumsum(counts, axis=0, out=rejected[1:])
    return rejected


def _interval(figures: np.ndarray) -> Interval:
    """The interval of figures of replicates, of which there may be none, or no numbers."""
    if not len(figures):
        return None
    low, high = np.quantile(figures, QUANTILES).tolist()
    return None if np.isnan(low) or np.isclose(low, high) else [low, high]
