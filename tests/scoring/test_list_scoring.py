"""Stage 5: scores of trial lists by all back ends, against a slow direct computation."""

from pathlib import Path

import numpy as np
import pytest

from deep_speaker.config import BACKENDS
from deep_speaker.corpora.speaker_splits import split_speakers, split_utterances
from deep_speaker.embeddings.xvectors import write_xvectors
from deep_speaker.kaldi import columns
from deep_speaker.scoring import vector_backend
from deep_speaker.scoring.score_files import find_score_files, read_scores, score_file
from deep_speaker.trials.lists import Trial, write_trials
from deep_speaker.trials.models import write_models
from deep_speaker.trials.table import read_trial_table
from support.scored_folders import (
    ALL,
    MODELS,
    OWN,
    TEST,
    TRAIN,
    experiment_of,
    held_out_of,
    random_trials,
    replace_train,
    score,
    slow_cosine,
    slow_vectors,
)
from support.tiny_xvectors import (
    make_vectors,
    parse_scores,
)

# Scores


@pytest.mark.parametrize(("at_once", "block_bytes"), [(1, 1), (7, 300), (4096, 1 << 22)])
def test_scores_equal_the_cosine_formula_in_the_order_of_the_trials(
    at_once: int, block_bytes: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_backend, "TRIALS_AT_ONCE", at_once)
    monkeypatch.setattr(columns, "BLOCK_BYTES", block_bytes)
    path = score(folder) / "p.trials.cosine"
    vectors = slow_vectors(folder / "p/xvectors_test")
    for speaker in set(TEST.values()):
        vectors[speaker] = np.sum([vectors[f"{speaker}-{i}"] for i in range(3)], axis=0)
    lines, trials = path.read_text().splitlines(), random_trials(100)
    assert any(trial.enroll in TEST.values() for trial in trials)
    for line, trial in zip(lines, trials, strict=True):
        enroll, test, score_text = line.split(" ")
        assert (enroll, test) == trial[:2]
        expected = slow_cosine(vectors[enroll], vectors[test])
        assert float(score_text) == pytest.approx(expected, abs=1e-6)
        assert len(score_text.partition(".")[2]) >= 6
    found = read_scores(path, read_trial_table(folder / "test/trials"))
    assert found.tolist() == [float(line.split()[2]) for line in lines]


def test_blocks_change_no_score(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By no back end; float sums may differ in the last digit."""
    whole = score(folder, *ALL)
    monkeypatch.setattr(columns, "BLOCK_BYTES", 100)
    blocks = score(folder, *ALL, phase="q")
    for name in ("trials", "calibration_trials"):
        for backend in ALL:
            first, second = (
                parse_scores(path / f"{phase}.{name}.{backend}")
                for path, phase in ((whole, "p"), (blocks, "q"))
            )
            assert list(first) == list(second)
            assert list(second.values()) == pytest.approx(list(first.values()), abs=1e-5)
    assert len(first) > 40


def test_a_model_is_the_mean_of_its_utterances_at_unit_length(folder: Path) -> None:
    """Long and short vectors count alike; a model named as a speaker is the model."""
    write_models(folder / "test", MODELS)
    trials = [Trial(model, test, False) for model in MODELS for test in TEST]
    write_trials(folder / "test/trials_models", trials)
    write_trials(folder / "test/trials_single", [Trial("s2-0", test, False) for test in TEST])
    scores = parse_scores(score(folder) / "p.trials_models.cosine")
    unit = slow_vectors(folder / "p/xvectors_test")
    for (model, test), value in scores.items():
        mean = np.mean([unit[key] for key in MODELS[model]], axis=0)
        assert value == pytest.approx(slow_cosine(mean, unit[test]), abs=1e-6)
    single = parse_scores(folder / "scores/p.trials_single.cosine")
    assert [scores["alone", test] for test in TEST] == pytest.approx(list(single.values()))


def test_a_zero_vector_scores_zero_and_warns_nobody(folder: Path) -> None:
    vectors = make_vectors(TEST, 1) | {"s0-0": np.zeros(6)}
    write_xvectors(folder / "p/xvectors_test", vectors, TEST)
    write_trials(folder / "test/trials", [Trial("s0-0", "s0-1", True)])
    assert (score(folder) / "p.trials.cosine").read_text() == "s0-0 s0-1 0.0000000\n"


# What is refused, and what is warned about


@pytest.mark.parametrize("block_bytes", [1, 30, 1 << 22])
@pytest.mark.parametrize("pair", [("who", "s0-0"), ("s0-0", "who"), ("s0", "who")])
def test_a_trial_without_a_vector_is_named_by_its_line(
    pair: tuple[str, str], block_bytes: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the previous scores of every back end stay."""
    monkeypatch.setattr(columns, "BLOCK_BYTES", block_bytes)
    write_trials(folder / "test/trials", [*random_trials(4), Trial(*pair, target=False)])
    previous = {score_file(folder / "scores/p", Path("trials"), name) for name in BACKENDS[:4]}
    (folder / "scores").mkdir()
    for path in previous:
        path.write_text("the previous ones\n")
    with pytest.raises(ValueError, match=r"/test/trials, line 5: 'who' .* stage 4 "):
        score(folder, "cosine", "plda")
    assert set((folder / "scores").iterdir()) == previous  # nothing half written either
    assert {path.read_text() for path in previous} == {"the previous ones\n"}


def test_a_list_damaged_in_a_later_block_leaves_the_previous_scores(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = score(folder)
    before = (scores / "p.trials.cosine").read_text()
    monkeypatch.setattr(columns, "BLOCK_BYTES", 64)
    with (folder / "test/trials").open("a") as file:
        file.write("s0-0 s0-1 traget\n")
    with pytest.raises(ValueError, match=r"/test/trials, line 101: .*'s0-0 s0-1 tr"):
        score(folder)
    assert (scores / "p.trials.cosine").read_text() == before
    assert not list(scores.glob("*.partial"))


def test_a_warning_counts_trials_by_what_enrols_them(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_models(folder / "test", {"m": ["s0-0", "s1-1"]})
    pairs = [("m", "s1-1"), ("m", "s1-0"), ("s2", "s2-0"), ("s2", "s0-0"), ("s3-0", "s3-0")]
    write_trials(folder / "test/trials", [Trial(*pair, pair[0] != "m") for pair in pairs])
    score(folder)
    (warning,) = [line for line in caplog.messages if OWN in line]
    assert warning.startswith(f"{folder}/test/trials: 3 ")


# Back ends


def test_back_ends_never_see_the_held_out_speakers(folder: Path) -> None:
    """Their vectors change no score of the test list; those of the others do."""
    held_out = held_out_of(TRAIN)
    assert len(held_out) == 10

    def test_scores(changed: set[str]) -> dict[str, str]:
        vectors = make_vectors(TRAIN, 0)
        strangers = make_vectors(TRAIN, 99)
        vectors |= {key: strangers[key] for key in vectors if TRAIN[key] in changed}
        write_xvectors(folder / "p/xvectors_train", vectors, TRAIN)
        scores = score(folder, *ALL)
        return {name: (scores / f"p.trials.{name}").read_text() for name in ALL}

    first = test_scores(set())
    calibration = (folder / "scores/p.calibration_trials.cosine").read_text()
    assert test_scores(held_out) == first
    assert (folder / "scores/p.calibration_trials.cosine").read_text() != calibration
    others = test_scores({next(name for name in TRAIN.values() if name not in held_out)})
    assert {name for name in ALL if others[name] == first[name]} == {"cosine"}


def test_speakers_at_another_speed_are_fitted_on_unless_their_originals_are_held_out() -> None:
    copies = {f"sp0.9-{key}": f"sp0.9-{speaker}" for key, speaker in TRAIN.items()}
    experiment = experiment_of("lda")
    training, held_out = split_utterances(TRAIN | copies, held_out_of(TRAIN))
    expected = split_speakers(TRAIN | copies, experiment.held_out, 0)
    assert set(held_out.values()) == set(expected[1]) == held_out_of(TRAIN)
    assert set(training.values()) == set(expected[0])
    assert len(expected[0]) == 30
    for key, speaker in (training | held_out).items():
        assert (TRAIN | copies)[key] == speaker


def test_a_warning_names_what_cannot_be_fitted_and_its_earlier_scores_go(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scores = score(folder, *ALL)
    held_out = held_out_of(TRAIN)
    lone = {key: name for key, name in TRAIN.items() if name in held_out or key.endswith("-0")}
    replace_train(folder, lone, held_out)
    caplog.clear()
    score(folder, *ALL)
    found = [line for line in caplog.messages if OWN not in line]
    for line, backend in zip(found, ("lda", "plda", "plda_as_norm"), strict=True):
        assert f" {backend}: 15 " in line
    kept = ["cosine", "centred_cosine", "cosine_as_norm"]
    for name in ("trials", "calibration_trials"):
        assert list(find_score_files(scores / "p", Path(name))) == kept


def test_scores_of_back_ends_no_longer_asked_for_do_not_stay_but_foreign_ones_do(
    folder: Path,
) -> None:
    scores = score(folder, *ALL)
    foreign = scores / "p.trials.kaldi_plda"
    foreign.write_text("of another program\n")
    others = {scores / "q.trials.lda", scores / "p.trials_hard.lda"}
    for path in others:
        path.write_text("of another phase, or list\n")
    assert list(find_score_files(scores / "p", Path("trials"))) == [*ALL, "kaldi_plda"]
    score(folder, "plda", "cosine")
    assert list(find_score_files(scores / "p", Path("trials"))) == ["cosine", "plda", "kaldi_plda"]
    assert list(find_score_files(scores / "p", Path("calibration_trials"))) == ["cosine", "plda"]
    assert foreign.read_text() == "of another program\n"
    assert all(path.is_file() for path in others)


def test_the_scores_of_old_fusions_go(folder: Path) -> None:
    fused = score(folder) / "p.trials.fusion"
    fused.write_text("of former embeddings\n")
    score(folder)
    assert not fused.exists()
