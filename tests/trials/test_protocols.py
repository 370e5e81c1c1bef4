"""Protocols: the right pairs, each once, in the numbers asked for; no model meets its own."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from deep_speaker.trials.lists import Trial
from deep_speaker.trials.protocols import draw_lists, draw_one_plus_99, draw_trials
from support.drawn_trials import (
    anchors_of,
    count_targets,
    draw,
    draw_all,
    make_options,
    make_speakers,
)

CASES = [
    ((5, 4, 3), "all", 10**6),
    ((5, 4, 3), "all", 66),  # exactly all
    ((5, 4, 3), "all", 40),
    ((5, 4, 3), "all", 7),
    ((5, 4, 3), "balanced", 10**6),
    ((5, 4, 3), "balanced", 13),
    ((1, 1, 2), "all", 3),
    ((10, 1), "balanced", 10**6),  # fewer nontargets than targets
    ((30,) * 20, "all", 2000),
    ((30,) * 20, "balanced", 2000),
    ((200, 1, 1), "all", 20000),
]


@pytest.mark.parametrize(("sizes", "kind", "limit"), CASES)
def test_every_pair_is_of_two_utterances_labelled_right_and_comes_once(
    sizes: tuple[int, ...], kind: str, limit: int
) -> None:
    utt2spk = make_speakers(*sizes)
    trials = draw(utt2spk, kind, limit)
    assert 0 < len(trials) <= limit
    for enroll, test, target in trials:
        assert enroll != test
        assert target == (utt2spk[enroll] == utt2spk[test])
    pairs = {frozenset(trial[:2]) for trial in trials}
    assert len(pairs) == len(trials)
    assert 0 < count_targets(trials) < len(trials)


def test_all_is_every_pair() -> None:
    """12 utterances: 66 pairs, of which 10 + 6 + 3 are targets."""
    utt2spk = make_speakers(5, 4, 3)
    trials = draw(utt2spk)
    assert {frozenset(trial[:2]) for trial in trials} == set(
        map(frozenset, combinations(utt2spk, 2))
    )
    assert (len(trials), count_targets(trials)) == (66, 19)
    # One more than fits: targets stay whole as they are less than half.
    limited = draw(utt2spk, limit=65)
    assert (len(limited), count_targets(limited)) == (65, 19)
    assert (len(draw(utt2spk, limit=20)), count_targets(draw(utt2spk, limit=20))) == (20, 10)


@pytest.mark.parametrize("sizes", [(5, 4, 3), (10, 1), (10, 2), (2, 2)])
@pytest.mark.parametrize("limit", [10**6, 14, 2])
def test_balanced_is_as_many_targets_as_nontargets(sizes: tuple[int, ...], limit: int) -> None:
    utt2spk = make_speakers(*sizes)
    targets = sum(size * (size - 1) // 2 for size in sizes)
    nontargets = len(list(combinations(utt2spk, 2))) - targets
    trials = draw(utt2spk, "balanced", limit)
    expected = min(targets, nontargets, limit // 2)
    assert (count_targets(trials), len(trials)) == (expected, 2 * expected)


def test_drawn_trials_repeat_by_seed() -> None:
    utt2spk = make_speakers(*[8] * 10)
    assert draw(utt2spk, limit=100) == draw(utt2spk, limit=100)
    assert draw(utt2spk, limit=100) == draw(dict(reversed(utt2spk.items())), limit=100)
    assert draw(utt2spk, limit=100) != draw(utt2spk, limit=100, seed=1)


def test_drawn_trials_are_even_over_pairs() -> None:
    """Speakers of 20 and 5 utterances have 190 and 10 target pairs."""
    utt2spk = make_speakers(20, 5)
    count: Counter[str] = Counter()
    for seed in range(200):
        count.update(
            utt2spk[trial.enroll] for trial in draw(utt2spk, limit=40, seed=seed) if trial.target
        )
    assert count.total() == 200 * 20
    assert count["s01"] / count.total() == pytest.approx(0.05, abs=0.012)  # 3.5 deviations


@pytest.mark.parametrize("kind", ["all", "balanced"])
@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ((1, 1, 1), "3 .*3 .*0 target and 3 nontarget"),
        ((4,), "4 .*1 .*6 target and 0 nontarget"),
        ((1,), "1 .*1 .*0 target and 0 nontarget"),
    ],
)
def test_a_test_set_without_both_kinds_is_refused(
    sizes: tuple[int, ...], told: str, kind: str
) -> None:
    with pytest.raises(ValueError, match=told):
        draw(make_speakers(*sizes), kind)


@pytest.mark.parametrize("kind", ["all", "balanced"])
@pytest.mark.parametrize(("sizes", "target"), [((1, 1, 1, 1), False), ((4,), True)])
def test_a_test_set_to_be_scored_alone_may_lack_a_kind(
    sizes: tuple[int, ...], target: bool, kind: str
) -> None:
    """There is no list of the 1 + 99 protocol then; of one utterance there is no trial at all."""
    options, rng = make_options(trials=kind), np.random.default_rng(0)
    lists, models = draw_lists(make_speakers(*sizes), options, rng, one_kind=True)
    assert (list(lists), models) == (["trials"], {})
    assert [trial.target for trial in lists["trials"]] == [target] * 6
    assert len({frozenset(trial[:2]) for trial in lists["trials"]}) == 6
    with pytest.raises(ValueError, match="1 test utterances of 1 speakers"):
        draw_lists(make_speakers(1), options, rng, one_kind=True)


def test_a_limit_holds_for_a_test_set_of_one_kind() -> None:
    for sizes in ((1,) * 9, (9,)):
        options, rng = make_options(max_trials=12), np.random.default_rng(0)
        trials = draw_lists(make_speakers(*sizes), options, rng, one_kind=True)[0]["trials"]
        assert 0 < len({frozenset(trial[:2]) for trial in trials}) == len(trials) <= 12


@pytest.mark.parametrize("kind", ["all", "balanced"])
def test_a_limit_of_one_trial_cannot_hold_both_kinds(kind: str) -> None:
    with pytest.raises(ValueError, match="max-trials 1"):
        draw(make_speakers(5, 4, 3), kind, limit=1)


@pytest.mark.parametrize(("num_speakers", "negatives"), [(120, 99), (100, 99), (5, 4), (2, 1)])
def test_an_anchor_meets_one_positive_and_as_many_other_speakers(
    num_speakers: int, negatives: int
) -> None:
    utt2spk = make_speakers(*[3] * (num_speakers - 1), 1)
    trials = draw_one_plus_99(utt2spk, 10**6, np.random.default_rng(0))
    anchors = anchors_of(trials)
    # The last speaker has no second utterance.
    assert anchors.keys() == {key for key in utt2spk if utt2spk[key] != f"s{num_speakers - 1:02}"}
    for anchor, met in anchors.items():
        assert all(trial.target == (utt2spk[trial.test] == utt2spk[anchor]) for trial in met)
        (positive,) = [trial.test for trial in met if trial.target]
        assert positive != anchor
        others = [utt2spk[trial.test] for trial in met if not trial.target]
        assert len(others) == len(set(others)) == negatives


def test_all_utterances_of_others_serve_as_negatives() -> None:
    utt2spk = make_speakers(*[4] * 30)
    trials = draw_one_plus_99(utt2spk, 10**6, np.random.default_rng(0))
    assert {trial.test for trial in trials if not trial.target} == utt2spk.keys()


def test_the_limit_leaves_whole_anchors() -> None:
    utt2spk = make_speakers(*[4] * 30)
    everything = anchors_of(draw_one_plus_99(utt2spk, 10**6, np.random.default_rng(0)))
    assert len(everything) == 120
    for limit, num_anchors in ((3600, 120), (3599, 119), (300, 10), (1, 1)):
        trials = draw_one_plus_99(utt2spk, limit, np.random.default_rng(0))
        assert len(trials) == 30 * num_anchors
        assert set(Counter(trial.enroll for trial in trials).values()) == {30}
        again = draw_one_plus_99(utt2spk, limit, np.random.default_rng(0))
        assert trials == again
    chosen = anchors_of(draw_one_plus_99(utt2spk, 1800, np.random.default_rng(1)))
    # 60 anchors are drawn from all, not from the first speakers.
    assert len({utt2spk[anchor] for anchor in chosen}) > 20


GOLDEN_TRIALS = [
    Trial("s00-0", "s00-1", True),
    Trial("s00-2", "s02-1", False),
    Trial("s01-0", "s01-1", True),
    Trial("s01-1", "s02-1", False),
    Trial("s01-2", "s02-0", False),
]
GOLDEN_ONE_PLUS_99 = [
    Trial("s01-1", "s01-2", True),
    Trial("s01-1", "s02-0", False),
    Trial("s01-1", "s00-1", False),
    Trial("s02-0", "s02-1", True),
    Trial("s02-0", "s01-0", False),
    Trial("s02-0", "s00-1", False),
]


def test_draws_stay_those_of_earlier_results() -> None:
    """The lists behind published figures, as they were first drawn for these seeds."""
    utt2spk = make_speakers(3, 3, 2)
    rng = np.random.default_rng(0)
    assert draw_trials(utt2spk, "all", 5, rng) == GOLDEN_TRIALS
    assert draw_one_plus_99(utt2spk, 6, rng) == GOLDEN_ONE_PLUS_99


# Models of several utterances


def test_without_options_the_two_lists_are_drawn_one_after_the_other() -> None:
    utt2spk = make_speakers(*[6] * 8)
    rng = np.random.default_rng(3)
    expected = {
        "trials": draw_trials(utt2spk, "balanced", 50, rng),
        "trials_one_plus_99": draw_one_plus_99(utt2spk, 50, rng),
    }
    for more in ({}, {"enrolments": [2, 1]}, {"identification": True}):
        lists, models = draw_all(utt2spk, 3, trials="balanced", max_trials=50, **more)
        assert {name: lists[name] for name in expected} == expected
        assert (len(lists) > 2) == bool(models) == bool(more)


def test_every_protocol_has_its_file_and_one_table_of_models_serves_all() -> None:
    utt2spk = make_speakers(*[6] * 8)
    lists, models = draw_all(utt2spk, enrolments=[3, 2, 3], identification=True)
    assert list(lists) == [
        "trials", "trials_one_plus_99",
        "trials_enrolment_2", "trials_enrolment_2_one_plus_99",
        "trials_enrolment_3", "trials_enrolment_3_one_plus_99",
        "trials_identification",
    ]  # fmt: skip
    named = {trial.enroll for name in list(lists)[2:] for trial in lists[name]}
    assert named == models.keys()
    assert Counter(map(len, models.values())) == {2: 8 * 3, 3: 8 * 2}
    assert {len(models[trial.enroll]) for trial in lists["trials_identification"]} == {3}
    for name in list(lists)[2:]:
        assert {trial.test for trial in lists[name]} <= utt2spk.keys()
        for enroll, test, target in lists[name]:
            assert test not in models[enroll]
            assert target == (utt2spk[test] == utt2spk[models[enroll][0]])


def test_a_list_does_not_change_when_others_are_asked_for_too() -> None:
    utt2spk = make_speakers(*[6] * 8)
    everything, all_models = draw_all(utt2spk, enrolments=[1, 2], identification=True)
    for changes in ({"enrolments": [2]}, {"enrolments": [2], "identification": True}):
        lists, models = draw_all(utt2spk, **changes)
        assert lists == {name: everything[name] for name in lists}
        assert models == {name: all_models[name] for name in models}
        assert draw_all(dict(reversed(utt2spk.items())), **changes) == (lists, models)
        again, _ = draw_all(utt2spk, 1, **changes)
        assert all(again[name] != lists[name] for name in list(lists)[2:])


def test_identification_alone_is_by_models_of_one_utterance() -> None:
    lists, models = draw_all(make_speakers(3, 2, 1), identification=True)
    assert list(models) == ["s00-enrolment_1_1", "s01-enrolment_1_1"]
    assert {len(utterances) for utterances in models.values()} == {1}
    # Two utterances of s00 and one of s01 are left, each meets both models.
    assert Counter(trial.target for trial in lists["trials_identification"]) == {
        True: 3,
        False: 3,
    }


def test_without_verification_only_what_is_asked_for_is_drawn() -> None:
    utt2spk = make_speakers(4, 4, 4)
    options = make_options(enrolments=[2], identification=True)
    lists, models = draw_lists(utt2spk, options, np.random.default_rng(0), verification=False)
    assert sorted(lists) == [
        "trials_enrolment_2",
        "trials_enrolment_2_one_plus_99",
        "trials_identification",
    ]
    assert {trial.enroll for trials in lists.values() for trial in trials} <= models.keys()
    lists, models = draw_lists(
        utt2spk, make_options(), np.random.default_rng(0), verification=False
    )
    assert not lists
    assert not models
