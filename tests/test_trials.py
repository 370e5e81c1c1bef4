"""Trials: the right pairs, each once, in the numbers asked for."""

from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from deep_speaker.trials import (
    Trial,
    draw_one_plus_99,
    draw_trials,
    find_trial_lists,
    read_known_trials,
    read_trials,
    remove_utterances,
    write_trials,
)


def make_speakers(*sizes: int) -> dict[str, str]:
    """utt2spk of speakers s00, s01, ... with so many utterances each."""
    return {f"s{i:02}-{j}": f"s{i:02}" for i, size in enumerate(sizes) for j in range(size)}


def draw(utt2spk: dict[str, str], kind: str = "all", limit: int = 10**6, seed: int = 0) -> list:
    return draw_trials(utt2spk, kind, limit, np.random.default_rng(seed))


def count_targets(trials: list[Trial]) -> int:
    return sum(trial.target for trial in trials)


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
        ((1, 1, 1), "0 target and 3 nontarget"),
        ((4,), "6 target and 0 nontarget"),
        ((1,), "0 target"),
    ],
)
def test_a_test_set_without_both_kinds_is_refused(
    sizes: tuple[int, ...], told: str, kind: str
) -> None:
    with pytest.raises(ValueError, match=f"{told}.*both are needed"):
        draw(make_speakers(*sizes), kind)


@pytest.mark.parametrize("kind", ["all", "balanced"])
def test_a_limit_of_one_trial_cannot_hold_both_kinds(kind: str) -> None:
    with pytest.raises(ValueError, match="1"):
        draw(make_speakers(5, 4, 3), kind, limit=1)


def anchors_of(trials: list[Trial]) -> dict[str, list[Trial]]:
    anchors = defaultdict(list)
    for trial in trials:
        anchors[trial.enroll].append(trial)
    return anchors


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


def test_lists_are_written_in_kaldi_s_form_and_read_back(tmp_path: Path) -> None:
    trials = [Trial("a-1", "é-2", False), Trial("a-1", "a-2", True)]
    write_trials(tmp_path / "trials", trials)
    assert (tmp_path / "trials").read_text(encoding="utf-8") == (
        "a-1 é-2 nontarget\na-1 a-2 target\n"
    )
    assert read_trials(tmp_path / "trials") == trials


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a b target\na b\n", r"trials, line 2: expected .*'a b\\n'"),
        ("a b 1\n", "trials, line 1: expected"),
        ("a b target c\n", "trials, line 1: expected"),
        ("a b target\n\n", "trials, line 2: expected"),
        ("", "no trials"),
    ],
)
def test_a_list_of_another_form_is_refused_by_line(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "trials").write_text(content)
    with pytest.raises(ValueError, match=told):
        read_trials(tmp_path / "trials")
    with pytest.raises(ValueError, match="missing is missing: run stage 0"):
        read_trials(tmp_path / "missing")


def test_removed_utterances_take_their_trials_and_anchors_with_them(tmp_path: Path) -> None:
    utt2spk = make_speakers(3, 3, 3, 3)
    pairs = draw(utt2spk)
    anchors = draw_one_plus_99(utt2spk, 10**6, np.random.default_rng(0))
    write_trials(tmp_path / "trials", pairs)
    write_trials(tmp_path / "trials_one_plus_99", anchors)
    unwanted = {"s00-0", "s02-1"}
    remove_utterances(tmp_path, unwanted)
    assert read_trials(tmp_path / "trials") == [
        trial for trial in pairs if not unwanted & {trial.enroll, trial.test}
    ]
    kept = anchors_of(read_trials(tmp_path / "trials_one_plus_99"))
    positives = {trial.enroll: trial.test for trial in anchors if trial.target}
    assert kept.keys() == {
        anchor for anchor, positive in positives.items() if not unwanted & {anchor, positive}
    }
    for anchor, met in kept.items():
        assert [trial.test for trial in met if trial.target] == [positives[anchor]]
        assert not {trial.test for trial in met} & unwanted


def test_a_training_set_without_lists_gets_none(tmp_path: Path) -> None:
    remove_utterances(tmp_path, {"s00-0"})
    assert not list(tmp_path.iterdir())


def test_lists_are_found_by_name_each_before_its_one_plus_99(tmp_path: Path) -> None:
    names = ("trials_b_one_plus_99", "trials_b", "trials_b_c", "trials", "trials_one_plus_99")
    for name in (*names, "trials_half.partial", "trial", "trialsx", "wav.scp"):
        (tmp_path / name).touch()
    (tmp_path / "trials_folder").mkdir()
    assert [(name, path.name) for name, path in find_trial_lists(tmp_path).items()] == [
        ("trials", "trials"),
        ("one_plus_99", "trials_one_plus_99"),
        ("b", "trials_b"),
        ("b_one_plus_99", "trials_b_one_plus_99"),
        ("b_c", "trials_b_c"),
    ]
    (tmp_path / "trials_trials").touch()
    with pytest.raises(ValueError, match=r"trials_trials would both be 'trials' in the results"):
        find_trial_lists(tmp_path)


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_a_folder_without_lists_names_the_stage_that_makes_them(
    folder: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="trials is missing: run stage 0 first"):
        find_trial_lists(tmp_path / folder)


def test_every_list_loses_the_removed_utterances(tmp_path: Path) -> None:
    utt2spk = make_speakers(3, 3, 3)
    anchors = draw_one_plus_99(utt2spk, 10**6, np.random.default_rng(0))
    for name in ("a", "hard"):
        write_trials(tmp_path / f"trials_{name}", draw(utt2spk))
        write_trials(tmp_path / f"trials_{name}_one_plus_99", anchors)
    remove_utterances(tmp_path, {"s00-0"})
    for path in find_trial_lists(tmp_path).values():
        assert "s00-0" not in path.read_text()
    for name in ("a", "hard"):
        for met in anchors_of(read_trials(tmp_path / f"trials_{name}_one_plus_99")).values():
            assert count_targets(met) == 1


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("s00-0 s00-1 target\ns00-1 s01-0 nontarget\n", "trials_hard: all 1 target trials name"),
        ("s00-1 s00-2 target\ns00-0 s01-0 nontarget\n", "trials_hard: all 1 nontarget trials name"),
    ],
)
def test_a_list_that_would_lose_all_of_a_kind_is_refused_and_all_lists_stay(
    lines: str, told: str, tmp_path: Path
) -> None:
    write_trials(tmp_path / "trials", draw(make_speakers(3, 3, 3)))
    (tmp_path / "trials_hard").write_text(lines)
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=f"{told}.*mend those listed in .*bad_utterances"):
        remove_utterances(tmp_path, {"s00-0"})
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before


def test_trials_of_strangers_are_refused(tmp_path: Path) -> None:
    utt2spk = make_speakers(2, 2)
    (tmp_path / "trials_own").write_text("s00 s00-1 target\ns00-0 s01-0 nontarget\n")
    assert len(read_known_trials(tmp_path / "trials_own", utt2spk)) == 2
    (tmp_path / "trials_own").write_text("s00-0 s07-1 target\ns00-0 s01-0 nontarget\n")
    with pytest.raises(ValueError, match=r"trials_own: 1 of 3 ids .*first 's07-1': mend or remove"):
        read_known_trials(tmp_path / "trials_own", utt2spk)
