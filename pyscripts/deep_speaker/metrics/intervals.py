"""Confidence intervals of error rates, by resampling speakers.

Trials of one speaker are not independent, so resampling trials gives intervals far too narrow. Here
as many speakers as a list has are drawn with replacement: one drawn w times brings target trials
w times, and a nontarget trial of two speakers counts the product of their numbers. The interval is
the middle 95 % of a metric over such replicates.

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

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import csc_array

from deep_speaker.metrics.error_rates import ErrorRates, blocks
from deep_speaker.metrics.metric import AnchorMetric, LlrMetric, Metric, RateMetric, ScoredTrials
from deep_speaker.metrics.paired_trials import pair_trials
from deep_speaker.metrics.replicates import count_replicates

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
        for part in blocks(len(self._is_target)):
            present[enroll_speaker[part]] = present[test_speaker[part]] = True
        num_speakers = int(present.sum())
        row = (np.cumsum(present) - 1).astype(np.int32)
        if not present.all():
            enroll_speaker, test_speaker = row[enroll_speaker], row[test_speaker]
        self._speaker = enroll_speaker[self._is_target]  # of target trials
        self._classes = [
            pair_trials(enroll_speaker, test_speaker, chosen, num_speakers)
            for chosen in (self._is_target, ~self._is_target)
        ]
        num_pairs = max(len(trials.first) for trials in self._classes)
        num_replicates = min(num_replicates, max(FEWEST_REPLICATES, MAX_WEIGHTS // num_pairs))
        draws = np.random.default_rng(seed).multinomial(
            num_speakers, np.full(num_speakers, 1 / num_speakers), num_replicates
        )
        self._weights = np.ones((num_speakers + 1, num_replicates), dtype=np.float32)
        self._weights[:-1] = draws.T

    def intervals(
        self, trials: ScoredTrials, metrics: Sequence[Metric]
    ) -> dict[tuple[str, ...], Interval]:
        """Compute the 95 % intervals of metrics: by their keys, unrounded.

        None where the replicates hardly differ, as those of two speakers, or of scores without
        error; and of an infinite Cllr. Replicates without targets or nontargets are left out.

        Args:
            trials: those of the bootstrap, with all that the metrics are functions of.

        Raises:
            ValueError: see `error_rates`, and the functions of the metrics.
        """
        of_rates = [metric for metric in metrics if isinstance(metric, RateMetric)]
        of_llrs = [metric for metric in metrics if isinstance(metric, LlrMetric)]
        found: dict[tuple[str, ...], Interval] = {}
        if of_rates or of_llrs:
            figures = self._replicate(trials, of_rates, of_llrs)
            for metric, values in zip([*of_rates, *of_llrs], figures, strict=True):
                found[metric.keys] = _interval(values)
        for metric in metrics:
            if isinstance(metric, AnchorMetric):
                found[metric.keys] = self._anchor_interval(trials, metric)
        return {metric.keys: found[metric.keys] for metric in metrics}

    def _replicate(
        self, trials: ScoredTrials, of_rates: Sequence[RateMetric], of_llrs: Sequence[LlrMetric]
    ) -> np.ndarray:
        """Compute metrics of all replicates, the rates' before the LLRs': (metrics, replicates)."""
        thresholds = choose_thresholds(trials.rates)
        counts = self._count_scores(trials.scores, thresholds[:-1])
        losses = self._sum_losses(trials.llrs, of_llrs)
        parts = []
        for weights in self._weights_in_parts():
            replicates = count_replicates(counts, weights)
            rates = replicates.rates(thresholds)
            figures = [metric.factor * metric.function(rates) for metric in of_rates]
            means = replicates.mean_losses(losses)
            for metric, *of_classes in zip(of_llrs, *means, strict=True):
                figures.append(metric.factor * metric.function.combine(*of_classes))
            parts.append(np.stack(figures))
        return np.concatenate(parts, axis=1)

    def _weights_in_parts(self) -> Iterator[list[np.ndarray]]:
        """Yield the weights of pairs per class, of some replicates at a time."""
        num_pairs = max(len(trials.first) for trials in self._classes)
        at_once = max(1, min(REPLICATES_AT_ONCE, WEIGHTS_AT_ONCE // num_pairs))
        for start in range(0, self._weights.shape[1], at_once):
            of_speakers = self._weights[:, start : start + at_once]
            yield [trials.weights(of_speakers) for trials in self._classes]

    def _count_scores(self, scores: np.ndarray, thresholds: np.ndarray) -> list[csc_array]:
        """Count the trials of each pair from one threshold to the next, per class."""
        bins = [np.empty(len(trials.pair), np.int32) for trials in self._classes]
        for parts, places in self._in_blocks(scores):
            for found, part, place in zip(bins, parts, places, strict=True):
                found[place] = np.searchsorted(thresholds, part, side="right") - 1
        return [
            trials.count_bins(found, len(thresholds))
            for trials, found in zip(self._classes, bins, strict=True)
        ]

    def _sum_losses(
        self, llrs: np.ndarray | None, metrics: Sequence[LlrMetric]
    ) -> list[np.ndarray]:
        """Add up the losses of each pair: float32, shape (metrics, pairs), per class."""
        sums = [np.zeros((len(metrics), len(trials.first))) for trials in self._classes]
        for parts, places in self._in_blocks(llrs) if llrs is not None and metrics else ():
            for i, metric in enumerate(metrics):
                cost = metric.function
                losses = cost.target_losses(parts[0]), cost.nontarget_losses(parts[1])
                for total, trials, each, place in zip(
                    sums, self._classes, losses, places, strict=True
                ):
                    trials.sum_by_pair(each, place, total[i])
        # 0 times infinity would warn, and be no number either.
        return [np.where(np.isinf(part), np.nan, part).astype(np.float32) for part in sums]

    def _in_blocks(self, values: np.ndarray) -> Iterator[tuple[list[np.ndarray], list[slice]]]:
        """Yield values of some trials at a time, per class, and which of the class they are."""
        ends = [0, 0]
        for part in blocks(len(values)):
            chosen = self._is_target[part]
            parts = [values[part][chosen], values[part][~chosen]]
            starts, ends = ends, [end + len(each) for end, each in zip(ends, parts, strict=True)]
            yield parts, [slice(*place) for place in zip(starts, ends, strict=True)]

    def _anchor_interval(self, trials: ScoredTrials, metric: AnchorMetric) -> Interval:
        """Compute the interval of a mean over anchors, by resampling the anchors' speakers.

        Whom an anchor is to be told from stays as it is.
        """
        assert trials.anchors is not None
        counted, values = metric.function(trials.anchors, trials.scores, self._is_target)
        anchors, trial = np.unique(trials.anchors[self._is_target], return_index=True)
        speaker = self._speaker[trial[np.isin(anchors, counted)]]
        of_speakers = self._weights[:-1]
        num_anchors = np.bincount(speaker, minlength=len(of_speakers)) @ of_speakers
        sums = np.bincount(speaker, values, len(of_speakers)) @ of_speakers
        kept = num_anchors > 0
        interval = _interval(sums[kept] / num_anchors[kept])
        return interval and [metric.factor * end for end in interval]


def choose_thresholds(rates: ErrorRates) -> np.ndarray:
    """Choose all thresholds, or some: the lowest, that of accepting nothing, and between them.

    Some are the two ends of the ROC's steps at shares of misses whose spaces are as their binomial
    deviations (even arc sines). An error rate is then off by less than the space there, 0.05 % at
    10 % and 0.02 % at 2 %, and by far less where the ROC is smooth; a minDCF by less than 0.001.
    """
    if len(rates.miss) <= 2 * THRESHOLD_PAIRS:
        return rates.thresholds
    steps = np.sin(np.linspace(0, np.pi / 2, THRESHOLD_PAIRS)) ** 2
    starts = np.searchsorted(rates.miss, steps)
    ends = np.searchsorted(rates.miss, steps, side="right") - 1
    chosen = np.unique(np.concatenate([starts, ends]))
    return rates.thresholds[chosen]


def _interval(figures: np.ndarray) -> Interval:
    """Return the interval of figures of replicates, of which there may be none, or no numbers."""
    if not len(figures):
        return None
    low, high = np.quantile(figures, QUANTILES).tolist()
    return None if np.isnan(low) or np.isclose(low, high) else [low, high]
