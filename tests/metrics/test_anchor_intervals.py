"""Intervals of identification: against repeating the tests of speakers."""

import numpy as np
import pytest

from deep_speaker.metrics.intervals import Interval
from deep_speaker.metrics.metric import ScoredTrials
from deep_speaker.metrics.registry import main_metric
from support.speaker_effects import Corpus, draw_times

ACCURACY = main_metric("identification")


def accuracy_interval(
    anchors: np.ndarray, corpus: Corpus, num_replicates: int = 1000, seed: int = 0
) -> Interval:
    trials = ScoredTrials(corpus.scores, corpus.is_target, anchors=anchors)
    return corpus.bootstrap(num_replicates, seed).intervals(trials, [ACCURACY])[ACCURACY.keys]


def make_identification(num_speakers: int) -> tuple[np.ndarray, np.ndarray, Corpus]:
    """Make tests of speakers, s + 1 of speaker s, against all models; and tell which succeed.

    Of a speaker's tests the first fails where his number is odd, and all fail where 3 divides it.

    Returns:
        The anchors of the trials, whether each test succeeds, and the trials.
    """
    speaker = np.arange(num_speakers).repeat(np.arange(num_speakers) + 1)
    first = np.append(True, np.diff(speaker) > 0)
    succeeds = ~((speaker % 2 == 1) & first) & (speaker % 3 != 0)
    test, enroll = speaker.repeat(num_speakers), np.tile(np.arange(num_speakers), len(speaker))
    scores = np.where(enroll == test, np.where(succeeds, 2, 0).repeat(num_speakers), 1)
    anchors = (1000 - np.arange(len(speaker))).repeat(num_speakers)
    return anchors, succeeds, Corpus(enroll, test, enroll == test, scores)


def test_intervals_are_those_of_speakers_repeated_one_by_one() -> None:
    anchors, succeeds, corpus = make_identification(7)
    speaker = np.arange(7).repeat(np.arange(7) + 1)
    trials = ScoredTrials(corpus.scores, corpus.is_target, anchors=anchors)
    assert ACCURACY.compute(trials) == pytest.approx(100 * succeeds.mean())
    expected = [100 * np.repeat(succeeds, t[speaker]).mean() for t in draw_times(7, 300, 5)]
    order = np.random.default_rng(0).permutation(len(anchors))
    swapped = corpus._replace(enroll=corpus.test, test=corpus.enroll)
    for same in (corpus, swapped):  # whichever side the anchors are on
        found = accuracy_interval(anchors[order], same.chosen(order), 300, 5)
        assert found == pytest.approx(np.quantile(expected, [0.025, 0.975]))


def test_anchors_without_a_positive_or_a_negative_do_not_count() -> None:
    anchors, _, corpus = make_identification(7)
    expected = accuracy_interval(anchors, corpus)
    # One more of speaker 0 with a positive alone, one of 1 with a negative alone.
    more = [(0, 0, True, 9), (2, 1, False, 9)]
    longer = Corpus(
        *(np.append(a, b) for a, b in zip(corpus, zip(*more, strict=True), strict=True))
    )
    assert accuracy_interval(np.append(anchors, [1, 2]), longer) == expected is not None


def test_perfect_identification_has_no_interval() -> None:
    anchors, _, corpus = make_identification(5)
    perfect = corpus._replace(scores=corpus.is_target.astype(float))
    assert accuracy_interval(anchors, perfect) is None
