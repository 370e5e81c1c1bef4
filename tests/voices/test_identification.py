"""Identification: ranks, posterior probabilities and the unknown, against sums by hand."""

from math import exp

import numpy as np
import pytest

from deep_speaker.voices.decisions import Criterion
from deep_speaker.voices.identification import identify, posteriors
from support.voice_models import make_voice_model, speaker, unit

ANA, BO = speaker("Ana", unit(1, 0)), speaker("Bo", unit(0, 1))


def test_the_best_is_named_with_probabilities_that_sum_to_one() -> None:
    """Cosines 0.6 and 0.8, ratios e^1 and e^3 at a prior of 1/4 each, 1/2 for nobody."""
    found = identify(make_voice_model(), [ANA, BO], unit(0.6, 0.8))
    assert found.name == "Bo"
    assert [each.name for each in found.candidates] == ["Bo", "Ana"]
    assert [each.llr for each in found.candidates] == pytest.approx([3, 1], abs=1e-5)
    total = exp(3) / 4 + exp(1) / 4 + 1 / 2
    expected = [exp(3) / 4 / total, exp(1) / 4 / total]
    assert [each.probability for each in found.candidates] == pytest.approx(expected, abs=1e-5)
    assert found.nobody == pytest.approx(0.5 / total, abs=1e-5)
    assert sum(expected) + 0.5 / total == pytest.approx(1)
    assert found.decision.probability == found.candidates[0].probability


def test_an_unknown_voice_is_nobody() -> None:
    found = identify(make_voice_model(), [ANA, BO], unit(-1, 0.3))
    assert found.name is None
    assert found.decision.same is False
    assert found.candidates[0].name == "Bo"
    assert found.nobody is not None and found.nobody > 0.9


def test_somebody_is_named_exactly_where_likelier_than_nobody() -> None:
    rng, model = np.random.default_rng(0), make_voice_model()
    answers = set()
    for _ in range(200):
        criterion = Criterion(prior=float(rng.uniform(0.05, 0.95)))
        speakers = [speaker(str(i), unit(*rng.normal(size=3))) for i in range(rng.integers(1, 6))]
        found = identify(model, speakers, unit(*rng.normal(size=3)), criterion)
        best = found.candidates[0].probability
        assert best is not None and found.nobody is not None
        assert (found.name is not None) == (best > found.nobody)
        answers.add(found.name is None)
    assert answers == {True, False}


def test_several_examples_count_as_their_mean() -> None:
    """The cosine of (1, 1) with (1, 0)."""
    both = speaker("both", unit(1, 0), unit(0, 1))
    found = identify(make_voice_model(), [both], unit(1, 0))
    assert found.candidates[0].score == pytest.approx(2**-0.5, abs=1e-6)


def test_unknown_voices_have_as_many_chances_as_speakers_are_enrolled() -> None:
    found = identify(make_voice_model(), [ANA, BO], unit(1, 1), Criterion(false_alarms=0.2))
    assert found.decision.threshold == 0.5  # 0.1 each
    assert found.unknown_accepted == pytest.approx(1 - 0.9**2)


def test_without_calibration_scores_are_all() -> None:
    model = make_voice_model(table=None)
    found = identify(model, [ANA, BO], unit(0.6, 0.8))
    assert (found.name, found.nobody, found.unknown_accepted) == (None, None, None)
    assert [each.score for each in found.candidates] == pytest.approx([0.8, 0.6])
    assert identify(model, [ANA, BO], unit(0.6, 0.8), Criterion(score=0.7)).name == "Bo"
    assert identify(model, [ANA, BO], unit(0.6, 0.8), Criterion(score=0.9)).name is None


def test_nobody_enrolled_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody is enrolled"):
        identify(make_voice_model(), [], unit(1, 0))


def test_extreme_ratios_stay_probabilities() -> None:
    assert posteriors([800.0, -800.0], 0.5) == [1.0, 0.0, 0.0]
    assert posteriors([-800.0], 0.5) == [0.0, 1.0]
