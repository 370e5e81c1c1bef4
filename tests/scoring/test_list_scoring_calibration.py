"""Stage 5: pairs of held-out training speakers, who they are and their scores."""

import shutil
from itertools import combinations
from pathlib import Path

import pytest

from deep_speaker.embeddings.held_out import write_held_out
from deep_speaker.scoring import calibration_trials
from deep_speaker.scoring.list_scoring import check_held_out
from deep_speaker.trials.lists import Trial, read_trials, write_trials
from deep_speaker.trials.models import write_models
from support.scored_folders import (
    OWN,
    TRAIN,
    experiment_of,
    held_out_of,
    make_folder,
    replace_train,
    score,
    slow_cosine,
    slow_vectors,
)
from support.tiny_xvectors import (
    parse_scores,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path)


def test_calibration_trials_are_all_pairs_of_the_held_out_speakers(folder: Path) -> None:
    scores = score(folder, "plda", "cosine")
    trials = read_trials(scores / "calibration_trials")
    held_out = held_out_of(TRAIN)
    wanted = [key for key in sorted(TRAIN) if TRAIN[key] in held_out]
    assert {frozenset(trial[:2]) for trial in trials} == set(
        map(frozenset, combinations(wanted, 2))
    )
    assert len(trials) == 40 * 39 / 2
    for trial in trials:
        assert trial.target == (TRAIN[trial.enroll] == TRAIN[trial.test])
    unit = slow_vectors(folder / "p/xvectors_train")
    found = parse_scores(scores / "p.calibration_trials.cosine")
    assert list(found) == [trial[:2] for trial in trials]
    for (enroll, test), value in found.items():
        assert value == pytest.approx(slow_cosine(unit[enroll], unit[test]), abs=1e-6)
    assert list(parse_scores(scores / "p.calibration_trials.plda")) == list(found)


def test_there_are_no_more_calibration_trials_than_the_limit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chosen alike for all phases."""
    monkeypatch.setattr(calibration_trials, "MAX_TRIALS", 30)
    first = (score(folder) / "calibration_trials").read_text()
    trials = read_trials(folder / "scores/calibration_trials")
    assert (len(trials), sum(trial.target for trial in trials)) == (30, 15)
    assert (score(folder, phase="q") / "calibration_trials").read_text() == first


@pytest.mark.parametrize("repeated", [0, 9, 10])
def test_fewer_than_ten_held_out_speakers_of_several_utterances_calibrate_nothing(
    repeated: int, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning says so, earlier calibration scores of this phase go, and the test list's come."""
    scores = score(folder, "lda", "cosine")
    (scores / "p.trials.cosine").unlink()
    held_out = sorted(held_out_of(TRAIN))
    lone = {k: name for k, name in TRAIN.items() if name not in held_out[repeated:] or k[-1] == "0"}
    replace_train(folder, lone)
    assert held_out_of(lone) == set(held_out)
    caplog.clear()
    score(folder, "lda", "cosine")
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    told = [line for line in (each.getMessage() for each in warnings) if OWN not in line]
    expected = {"p.trials.cosine", "p.trials.lda"}
    if repeated < 10:
        (warning,) = told
        assert warning.startswith(f"scores stay uncalibrated: {repeated} of 10 held-out training")
    else:
        assert not told
        expected |= {
            "calibration_trials",
            *(f"p.calibration_trials.{b}" for b in ("cosine", "lda")),
        }
    assert {path.name for path in scores.iterdir()} == expected
    assert len((scores / "p.trials.cosine").read_text().splitlines()) == 100


def test_who_is_held_out_stands_with_the_x_vectors_whatever_the_config_says(folder: Path) -> None:
    names = sorted(set(TRAIN.values()))[:10]
    write_held_out(folder / "p/xvectors_train", names)
    trials = read_trials(score(folder) / "calibration_trials")
    assert {TRAIN[trial.enroll] for trial in trials} == set(names) != held_out_of(TRAIN)


def test_systems_that_held_out_others_are_refused(folder: Path) -> None:
    shutil.copytree(folder / "p", folder / "q")
    arguments = experiment_of("cosine"), folder / "train", folder, ["p", "q"]
    check_held_out(*arguments)
    write_held_out(folder / "q/xvectors_train", ["t0"])
    with pytest.raises(
        ValueError, match=r"p/xvectors_train and .*/q/xvectors_train .*stages 2 to 4"
    ):
        check_held_out(*arguments)


def test_trials_by_what_enrols_them_are_told_of(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_models(folder / "test", {"m": ["s0-0", "s1-1"]})
    pairs = [("m", "s1-1"), ("m", "s1-0"), ("s2", "s2-0"), ("s2", "s0-0"), ("s3-0", "s3-0")]
    write_trials(folder / "test/trials", [Trial(*pair, pair[0] != "m") for pair in pairs])
    score(folder)
    told = [record.getMessage() for record in caplog.records]
    assert [line for line in told if OWN in line] == [
        f"{folder / 'test/trials'}: 3 trials test an utterance by which they enrol"
    ]


def test_the_scores_of_old_fusions_go(folder: Path) -> None:
    fused = score(folder) / "p.trials.fusion"
    fused.write_text("of former embeddings\n")
    score(folder)
    assert not fused.exists()
