"""Trial lists of a test set: others' in place of drawn ones, and the user's own beside them."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from deep_speaker.trials.gathering import MADE_LISTS, add_own_lists, gather_lists, write_lists
from deep_speaker.trials.lists import Trial, find_trial_lists, read_trials
from deep_speaker.trials.models import read_models

UTT2SPK = {f"{speaker}-{i}": speaker for speaker in "abc" for i in range(4)}
TRIALS = [Trial("a-0", "a-1", True), Trial("a-0", "b-1", False)]


def options(*files: Path, **changes: Any) -> argparse.Namespace:
    defaults: dict[str, Any] = {
        "trial_lists": list(files),
        "data_seed": 0,
        "trials": "all",
        "max_trials": 1000,
        "enrolments": [],
        "identification": False,
    }
    return argparse.Namespace(**defaults | changes)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_lists_are_drawn_where_none_is_given() -> None:
    lists, models = gather_lists(options(), UTT2SPK, {}, {})
    assert sorted(lists) == ["trials", "trials_one_plus_99"]
    assert not models


def test_given_lists_take_their_place_and_further_protocols_are_drawn(tmp_path: Path) -> None:
    veri = write(tmp_path / "veri.txt", "1 a/0.wav a/1.wav\n0 a/0.wav b/1.wav\n")
    plain = write(tmp_path / "trials.txt", "a-0 a-1 target\na-0 b-1 nontarget\n")
    lists, models = gather_lists(
        options(veri, plain, enrolments=[2]), UTT2SPK, {"trials_ours": TRIALS}, {}
    )
    assert [lists[name] for name in ("trials", "trials_veri", "trials_ours")] == [TRIALS] * 3
    assert sorted(lists.keys() - {"trials", "trials_veri", "trials_ours"}) == [
        "trials_enrolment_2",
        "trials_enrolment_2_one_plus_99",
    ]
    assert len(models) == 6


def test_two_lists_of_one_name_are_refused(tmp_path: Path) -> None:
    first, second = (
        write(tmp_path / name / "veri.txt", "1 a-0 a-1\n0 a-0 b-0\n") for name in ("x", "y")
    )
    with pytest.raises(ValueError, match=r"y/veri\.txt .*x/veri\.txt .*\btrials_veri\b"):
        gather_lists(options(first, second), UTT2SPK, {}, {})
    with pytest.raises(ValueError, match=r"x/veri\.txt .*\btrials_veri\b"):
        gather_lists(options(first), UTT2SPK, {"trials_veri": TRIALS}, {})


def test_models_are_of_the_test_set(caplog: pytest.LogCaptureFixture) -> None:
    trials = [Trial("m", "a-1", True), Trial("m", "b-1", False)]
    _, models = gather_lists(options(), UTT2SPK, {"trials": trials}, {"m": ["a-0", "lost-1"]})
    assert models == {"m": ["a-0"]}
    assert "1 utterances of models " in caplog.text
    with pytest.raises(ValueError, match=r"^1 of 1 models .*'m'"):
        gather_lists(options(), UTT2SPK, {"trials": trials}, {"m": ["lost-1"]})
    with pytest.raises(ValueError, match=r"^model 'a-2' "):
        gather_lists(options(), UTT2SPK, {"trials": TRIALS}, {"a-2": ["a-0"]})


def test_tests_of_what_was_enrolled_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    trials = [
        Trial("m", "a-1", True),
        Trial("m", "a-2", True),
        Trial("a", "a-3", True),
        Trial("b-0", "b-0", True),
        Trial("m", "b-1", False),
    ]
    lists, _ = gather_lists(options(), UTT2SPK, {"trials": trials}, {"m": ["a-0", "a-1"]})
    assert lists == {"trials": trials}
    assert "trials: 3 trials " in caplog.text


def test_the_user_s_lists_stay_and_those_of_an_earlier_run_go(tmp_path: Path) -> None:
    made = {"trials": TRIALS, "trials_old": TRIALS}
    write_lists(tmp_path, made, {"old": ["a-0"]}, made)
    write(tmp_path / "trials_own", "mine a-1 target\nmine b-1 nontarget\n")
    write(tmp_path / "enroll_spk2utt", "mine a-0\nold a-0\n")
    lists, models = add_own_lists(tmp_path, UTT2SPK, {"trials": TRIALS}, {"new": ["b-0"]})
    assert lists == {"trials": TRIALS, "trials_own": read_trials(tmp_path / "trials_own")}
    assert models == {"mine": ["a-0"], "new": ["b-0"]}
    (tmp_path / "next").mkdir()
    write_lists(tmp_path / "next", lists, models, ["trials"])
    assert (tmp_path / "next" / MADE_LISTS).read_text() == "trials\n"
    assert read_models(tmp_path / "next") == models
    assert read_trials(tmp_path / "next" / "trials_own") == lists["trials_own"]
    with pytest.raises(ValueError, match=r"/trials_own: 1 of 3 ids .*'b-1'"):
        add_own_lists(tmp_path, {key: "a" for key in UTT2SPK if key != "b-1"}, {}, {})


def test_names_of_lists_may_hold_spaces_but_no_line_feed(tmp_path: Path) -> None:
    made = {"trials_my list": TRIALS, "trials_<b>": TRIALS}
    write_lists(tmp_path, made, {}, made)
    assert add_own_lists(tmp_path, UTT2SPK, {}, {})[0] == {}
    for name in ("trials_a\nb", "trials_\x1b[2J"):
        with pytest.raises(ValueError, match=r"trials_\S+: its name cannot be printed"):
            gather_lists(options(tmp_path / name), UTT2SPK, {}, {})
        (tmp_path / name).touch()
        with pytest.raises(ValueError, match=r"trials_\S+: its name cannot be printed"):
            find_trial_lists(tmp_path)
        (tmp_path / name).unlink()


def test_the_user_s_models_are_of_the_test_set_too(tmp_path: Path) -> None:
    write(tmp_path / "trials_own", "mine a-1 target\nmine b-1 nontarget\n")
    write(tmp_path / "enroll_spk2utt", "mine lost-1\n")
    with pytest.raises(ValueError, match=r"^1 of 1 models .*'mine'"):
        add_own_lists(tmp_path, UTT2SPK, {}, {})
