"""Enrolment with several utterances: no model meets its own, each pair once, the right numbers."""

import logging
from collections import Counter
from itertools import combinations, product

import numpy as np
import pytest

from deep_speaker.trials.enrolment import (
    draw_identification,
    draw_model_trials,
    draw_models,
    one_per_speaker,
)
from deep_speaker.trials.lists import Trial
from deep_speaker.trials.protocols import draw_one_plus_99
from support.drawn_trials import anchors_of, count_targets, draw_all, make_speakers


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_models_share_no_utterance_and_are_as_many_as_there_is_speech_for(size: int) -> None:
    utt2spk = make_speakers(6, 5, 3, 1, 9)
    models = draw_models(utt2spk, size, np.random.default_rng(0))
    used = [key for utterances in models.values() for key in utterances]
    assert len(used) == len(set(used))
    for utterances in models.values():
        assert len(utterances) == size
        assert utterances == sorted(utterances)
        assert len({utt2spk[key] for key in utterances}) == 1
    numbers = Counter(utt2spk[utterances[0]] for utterances in models.values())
    sizes = {"s00": 6, "s01": 5, "s02": 3, "s03": 1, "s04": 9}
    assert numbers == {key: count // size for key, count in sizes.items() if count > size}


def test_models_are_of_random_utterances() -> None:
    utt2spk = make_speakers(4)
    firsts = {
        tuple(draw_models(utt2spk, 2, np.random.default_rng(seed))["s00-enrolment_2_1"])
        for seed in range(60)
    }
    assert firsts == set(combinations(utt2spk, 2))


def test_a_model_is_never_named_as_an_utterance() -> None:
    utt2spk = dict.fromkeys(["a-1", "a-2", "a-enrolment_1_2", "a-enrolment_1_2_"], "a")
    models = draw_models(utt2spk, 1, np.random.default_rng(0))
    assert list(models) == [
        "a-enrolment_1_1", "a-enrolment_1_2__", "a-enrolment_1_3", "a-enrolment_1_4",
    ]  # fmt: skip


def test_speakers_of_too_few_utterances_enrol_nobody_but_test(
    caplog: pytest.LogCaptureFixture,
) -> None:
    utt2spk = make_speakers(3, 3, 2, 1)
    with caplog.at_level(logging.WARNING):
        lists, models = draw_all(utt2spk, enrolments=[2])
    assert "2 of 4 test speakers have too few utterances for models of 2" in caplog.text
    assert {key.split("-")[0] for key in models} == {"s00", "s01"}
    for name in ("trials_enrolment_2", "trials_enrolment_2_one_plus_99"):
        speakers = {utt2spk[trial.test] for trial in lists[name]}
        assert speakers == {"s00", "s01", "s02", "s03"}


def test_models_larger_than_any_speaker_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\b3 utterances.*\b3: .*--enrolments"):
        draw_all(make_speakers(3, 3, 2), enrolments=[2, 3])


def test_all_models_meet_all_utterances_outside_of_them() -> None:
    utt2spk = make_speakers(5, 2, 4, 1)
    for size in (1, 2, 3):
        models = draw_models(utt2spk, size, np.random.default_rng(0))
        trials = draw_model_trials(utt2spk, models, "all", 10**6, np.random.default_rng(0))
        pairs = [tuple(trial[:2]) for trial in trials]
        assert pairs == sorted(
            (model, key) for model, key in product(models, utt2spk) if key not in models[model]
        )
        for enroll, test, target in trials:
            assert target == (utt2spk[test] == utt2spk[models[enroll][0]])


@pytest.mark.parametrize(
    ("kind", "limit", "targets", "nontargets"),
    [
        # Models of 2: 3, 2 and 1 of speakers with 6, 4 and 3 utterances, of 13; 4, 2 and 1
        # targets each, 7, 9 and 10 nontargets.
        ("all", 66, 17, 49),
        ("all", 65, 17, 48),
        ("all", 33, 16, 17),
        ("balanced", 10**6, 17, 17),
        ("balanced", 33, 16, 16),
        ("all", 2, 1, 1),
    ],
)
def test_model_trials_come_in_the_numbers_of_the_pairs(
    kind: str, limit: int, targets: int, nontargets: int
) -> None:
    utt2spk = make_speakers(6, 4, 3)
    models = draw_models(utt2spk, 2, np.random.default_rng(0))
    trials = draw_model_trials(utt2spk, models, kind, limit, np.random.default_rng(0))
    assert (count_targets(trials), len(trials)) == (targets, targets + nontargets)
    assert len({trial[:2] for trial in trials}) == len(trials)
    for enroll, test, target in trials:
        assert test not in models[enroll]
        assert target == (utt2spk[test] == utt2spk[models[enroll][0]])
    with pytest.raises(ValueError, match="max-trials 1"):
        draw_model_trials(utt2spk, models, kind, 1, np.random.default_rng(0))


def test_model_trials_are_even_over_the_pairs() -> None:
    """Of the 17 targets and 49 nontargets above, 8 are drawn each time."""
    utt2spk = make_speakers(6, 4, 3)
    models = draw_models(utt2spk, 2, np.random.default_rng(0))
    count: Counter[Trial] = Counter()
    for seed in range(400):
        rng = np.random.default_rng(seed)
        count.update(draw_model_trials(utt2spk, models, "all", 16, rng))
    for target, pairs in ((True, 17), (False, 49)):
        numbers = [number for trial, number in count.items() if trial.target == target]
        assert len(numbers) == pairs
        expected = 400 * 8 / pairs
        deviation = (expected * (1 - 8 / pairs)) ** 0.5
        assert max(abs(number - expected) for number in numbers) < 4 * deviation


def test_a_model_as_anchor_meets_one_positive_and_as_many_other_speakers() -> None:
    utt2spk = make_speakers(*[5] * 101, 1)
    models = draw_models(utt2spk, 2, np.random.default_rng(0))
    trials = draw_one_plus_99(utt2spk, 10**6, np.random.default_rng(0), models)
    anchors = anchors_of(trials)
    assert anchors.keys() == models.keys()
    for anchor, met in anchors.items():
        speaker = utt2spk[models[anchor][0]]
        (positive,) = [trial.test for trial in met if trial.target]
        assert utt2spk[positive] == speaker
        assert positive not in models[anchor]
        others = {utt2spk[trial.test] for trial in met if not trial.target}
        assert len(met) == 100
        assert len(others - {speaker}) == 99
    some = anchors_of(draw_one_plus_99(utt2spk, 350, np.random.default_rng(0), models))
    assert [len(met) for met in some.values()] == [100, 100, 100]


# Identification


def test_every_remaining_utterance_meets_one_model_of_each_speaker() -> None:
    utt2spk = make_speakers(5, 4, 2)
    drawn = draw_models(utt2spk, 2, np.random.default_rng(0))
    models = one_per_speaker(utt2spk, drawn)
    assert models == {key: drawn[key] for key in ("s00-enrolment_2_1", "s01-enrolment_2_1")}
    trials = draw_identification(utt2spk, models, 10**6, np.random.default_rng(0))
    enrolled = {key for utterances in models.values() for key in utterances}
    tests = [key for key in utt2spk if utt2spk[key] != "s02" and key not in enrolled]
    assert len(tests) == 3 + 2
    assert trials == [
        Trial(model, test, model.startswith(utt2spk[test])) for test in tests for model in models
    ]


def test_the_limit_drops_whole_tests() -> None:
    utt2spk = make_speakers(*[5] * 20)
    models = one_per_speaker(utt2spk, draw_models(utt2spk, 2, np.random.default_rng(0)))
    everything = draw_identification(utt2spk, models, 10**6, np.random.default_rng(0))
    assert len(everything) == 60 * 20
    for limit, num_tests in ((1200, 60), (1199, 59), (200, 10), (1, 1)):
        trials = draw_identification(utt2spk, models, limit, np.random.default_rng(0))
        assert set(Counter(trial.test for trial in trials).values()) == {20}
        assert len(trials) == 20 * num_tests
        assert count_targets(trials) == num_tests
        assert set(trials) <= set(everything)
    chosen = draw_identification(utt2spk, models, 600, np.random.default_rng(1))
    assert len({utt2spk[trial.test] for trial in chosen}) > 10  # not the first speakers


def test_one_speaker_alone_is_not_identified() -> None:
    with pytest.raises(ValueError, match=r"identification .*\b1 model.*--enrolments"):
        draw_all(make_speakers(3, 1, 1), identification=True)
