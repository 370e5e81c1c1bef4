"""Removed utterances leave the trial lists and models, with the trials that need them."""

from pathlib import Path

import numpy as np
import pytest

from deep_speaker.kaldi.data_dir import write_spk2utt
from deep_speaker.trials.lists import Trial, find_trial_lists, read_trials, write_trials
from deep_speaker.trials.models import read_models, write_models
from deep_speaker.trials.protocols import draw_identification, draw_one_plus_99
from deep_speaker.trials.removal import remove_from_trials
from support.drawn_trials import anchors_of, count_targets, draw, make_speakers


def test_removed_utterances_take_their_trials_and_anchors_with_them(tmp_path: Path) -> None:
    utt2spk = make_speakers(3, 3, 3, 3)
    pairs = draw(utt2spk)
    anchors = draw_one_plus_99(utt2spk, 10**6, np.random.default_rng(0))
    write_trials(tmp_path / "trials", pairs)
    write_trials(tmp_path / "trials_one_plus_99", anchors)
    unwanted = {"s00-0", "s02-1"}
    remove_from_trials(tmp_path, unwanted)
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
    remove_from_trials(tmp_path, {"s00-0"})
    assert not list(tmp_path.iterdir())


def test_every_list_loses_the_removed_utterances(tmp_path: Path) -> None:
    utt2spk = make_speakers(3, 3, 3)
    anchors = draw_one_plus_99(utt2spk, 10**6, np.random.default_rng(0))
    for name in ("a", "hard"):
        write_trials(tmp_path / f"trials_{name}", draw(utt2spk))
        write_trials(tmp_path / f"trials_{name}_one_plus_99", anchors)
    remove_from_trials(tmp_path, {"s00-0"})
    for path in find_trial_lists(tmp_path).values():
        assert "s00-0" not in path.read_text()
    for name in ("a", "hard"):
        for met in anchors_of(read_trials(tmp_path / f"trials_{name}_one_plus_99")).values():
            assert count_targets(met) == 1


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("s00-0 s00-1 target\ns00-1 s01-0 nontarget\n", "/trials_hard: .*1 target"),
        ("s00-1 s00-2 target\ns00-0 s01-0 nontarget\n", "/trials_hard: .*1 nontarget"),
    ],
)
def test_a_list_that_would_lose_all_of_a_kind_is_refused_and_all_lists_stay(
    lines: str, told: str, tmp_path: Path
) -> None:
    write_trials(tmp_path / "trials", draw(make_speakers(3, 3, 3)))
    (tmp_path / "trials_hard").write_text(lines)
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=f"{told} .*/bad_utterances .*stage 0"):
        remove_from_trials(tmp_path, {"s00-0"})
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before


MODELS = {"m0": ["s00-0", "s00-1"], "m1": ["s01-0", "s01-1"], "m2": ["s02-0", "s02-1"]}


def write_model_lists(folder: Path) -> dict[str, str]:
    """Three speakers with a model each and two tests each, and the lists of all protocols."""
    utt2spk = make_speakers(4, 4, 4)
    write_models(folder, MODELS)
    everything = draw_identification(utt2spk, MODELS, 10**6, np.random.default_rng(0))
    write_trials(folder / "trials_identification", everything)
    write_trials(folder / "trials_enrolment_2", everything)
    anchors = draw_one_plus_99(utt2spk, 10**6, np.random.default_rng(0), MODELS)
    write_trials(folder / "trials_enrolment_2_one_plus_99", anchors)
    return utt2spk


def test_removed_utterances_leave_models_and_empty_models_leave_all_lists(tmp_path: Path) -> None:
    write_model_lists(tmp_path)
    before = {name: read_trials(path) for name, path in find_trial_lists(tmp_path).items()}
    remove_from_trials(tmp_path, {"s00-0", "s01-0", "s01-1", "s02-2"})
    assert read_models(tmp_path) == {"m0": ["s00-1"], "m2": ["s02-0", "s02-1"]}
    after = {name: read_trials(path) for name, path in find_trial_lists(tmp_path).items()}
    assert after["enrolment_2"] == [
        trial for trial in before["enrolment_2"] if trial.enroll != "m1" and trial.test != "s02-2"
    ]
    # s01's tests have lost their model, and s02-2 itself is bad: they are asked nobody any more.
    assert after["identification"] == [
        Trial(model, test, model[1] == test[2])
        for test in ("s00-2", "s00-3", "s02-3")
        for model in ("m0", "m2")
    ]
    assert "m1" not in anchors_of(after["enrolment_2_one_plus_99"])


def test_speakers_without_utterances_leave_the_lists(tmp_path: Path) -> None:
    write_spk2utt(tmp_path / "spk2utt", sorted(make_speakers(2, 2, 2).items()))
    trials = [
        Trial("s00", "s00-1", True),
        Trial("s01", "s02-0", False),
        Trial("s00", "s02-0", False),
    ]
    write_trials(tmp_path / "trials_own", trials)
    remove_from_trials(tmp_path, {"s00-0", "s01-0", "s01-1"})
    assert read_trials(tmp_path / "trials_own") == [trials[0], trials[2]]


def test_models_stay_where_a_list_would_lose_all_of_a_kind(tmp_path: Path) -> None:
    utt2spk = write_model_lists(tmp_path)
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    models = {key for utterances in MODELS.values() for key in utterances}
    with pytest.raises(ValueError, match=r"/trials_\w+: .*\d+ target "):
        remove_from_trials(tmp_path, models)
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before
    assert len(utt2spk) == 12


def test_models_that_lose_nothing_are_not_written_anew(tmp_path: Path) -> None:
    write_model_lists(tmp_path)
    text = "m2  s02-0 s02-1\nm0 s00-0 s00-1\nm1 s01-0 s01-1\n"  # a user's own order
    (tmp_path / "enroll_spk2utt").write_text(text)
    remove_from_trials(tmp_path, {"s00-3"})
    assert (tmp_path / "enroll_spk2utt").read_text() == text
    assert "s00-3" not in (tmp_path / "trials_identification").read_text()
