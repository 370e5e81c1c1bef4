"""Errors by speaker, by hand."""

import numpy as np
import pytest

from deep_speaker.kaldi.key_rows import KeyRows
from deep_speaker.metrics.error_rates import error_rates
from deep_speaker.report.speaker_errors import SpeakerErrors, eer_threshold, speaker_errors
from deep_speaker.trials.table import TrialTable


def test_errors_by_hand() -> None:
    names = ["a1", "a2", "b1", "b2", "c1"]
    trials = TrialTable(
        KeyRows(names),
        enroll=np.array([0, 2, 0, 2, 1]),
        test=np.array([1, 3, 2, 4, 4]),
        is_target=np.array([True, True, False, False, False]),
    )  # a a, b b, a b, b c, a c
    scores = np.array([0.4, 0.5, 0.5, 0.7, 0.1])
    errors = speaker_errors(trials, list("aabbc"), scores, threshold=0.5)
    # a: missed once; its trial with b is accepted, that with c is not.
    assert errors == [
        SpeakerErrors("a", misses=1, targets=1, false_alarms=1, nontargets=2),
        SpeakerErrors("b", misses=0, targets=1, false_alarms=2, nontargets=2),
        SpeakerErrors("c", misses=0, targets=0, false_alarms=1, nontargets=2),
    ]
    assert [(each.miss_rate, each.false_alarm_rate) for each in errors] == [
        (1, 0.5), (0, 1), (0, 0.5)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("order", "threshold"), [("nntt", 3), ("nnntnttt", 5), ("ttnn", 3), ("nt", 2)]
)
def test_the_threshold_balances_the_errors(order: str, threshold: float) -> None:
    scores = np.arange(1.0, len(order) + 1)
    is_target = np.array([kind == "t" for kind in order])
    assert eer_threshold(error_rates(scores, is_target)) == threshold
