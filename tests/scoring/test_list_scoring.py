"""Stage 5: scores of all trial lists by all back ends, against a slow direct computation."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import score_trials as score_trials_command
from deep_speaker.config import BACKENDS, Experiment
from deep_speaker.corpora.speaker_splits import split_speakers, split_utterances
from deep_speaker.embeddings.xvectors import read_unit_vectors, write_xvectors
from deep_speaker.kaldi import tables
from deep_speaker.scoring import list_scoring, scorers
from deep_speaker.scoring.list_scoring import read_test_vectors, score_phase
from deep_speaker.scoring.score_files import find_score_files, read_scores, score_file
from deep_speaker.trials.lists import Trial, read_trials, write_trials
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
    make_folder,
    random_trials,
    replace_train,
    score,
    slow_cosine,
    slow_vectors,
)
from support.tiny_data import make_experiment, write_experiment
from support.tiny_xvectors import (
    make_crops,
    make_vectors,
    parse_scores,
    write_crop_vectors,
    write_data_dir,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path)


# Scores


@pytest.mark.parametrize(("at_once", "block_bytes"), [(1, 1), (7, 300), (4096, 1 << 22)])
def test_scores_equal_the_cosine_formula_in_the_order_of_the_trials(
    at_once: int, block_bytes: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorers, "TRIALS_AT_ONCE", at_once)
    monkeypatch.setattr(tables, "BLOCK_BYTES", block_bytes)
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
    """Of any back end; float sums may differ in the last digit."""
    whole = score(folder, *ALL)
    monkeypatch.setattr(tables, "BLOCK_BYTES", 100)
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


def test_a_name_is_an_utterance_s_before_a_model_s_before_a_speaker_s(tmp_path: Path) -> None:
    vectors = {"a": [1.0, 0], "a-2": [0, 1.0], "b-1": [3.0, 4], "b-2": [0, -2.0], "c-1": [-1.0, 0]}
    utt2spk = {"a": "a", "a-2": "a", "b-1": "b", "b-2": "b", "c-1": "c"}
    arrays = {key: np.array(vector) for key, vector in vectors.items()}
    write_xvectors(tmp_path / "x", arrays, utt2spk)
    write_data_dir(tmp_path / "test", utt2spk)
    write_models(tmp_path / "test", {"a": ["b-1"], "b": ["a", "a-2"], "m": ["b-1"]})
    keys = read_test_vectors(tmp_path / "x", tmp_path / "test")
    assert set(keys.rows) == {*utt2spk, "b", "c", "m"}
    expected = {"a": [1, 0], "b": [0.5, 0.5], "m": [0.6, 0.8], "c": [-1, 0]}
    for name, vector in expected.items():
        assert keys.vectors[keys.rows[name]].tolist() == pytest.approx(vector)
    assert keys.counts[keys.rows["b"]] == 2


def test_a_zero_vector_scores_zero_and_warns_nobody(folder: Path) -> None:
    vectors = make_vectors(TEST, 1) | {"s0-0": np.zeros(6)}
    write_xvectors(folder / "p/xvectors_test", vectors, TEST)
    write_trials(folder / "test/trials", [Trial("s0-0", "s0-1", True)])
    assert (score(folder) / "p.trials.cosine").read_text() == "s0-0 s0-1 0.0000000\n"


# What is missing


def test_a_model_of_utterances_without_vectors_is_refused(folder: Path) -> None:
    write_models(folder / "test", {"m": ["s0-0", "x9"], "n": ["who", "s0-1"]})
    with pytest.raises(
        ValueError,
        match=r"p/xvectors_test: 2 utterances of the models in .*test/enroll_spk2utt have no "
        r"vector, first 'x9' of 'm': mend that table, or run stage 4 anew",
    ):
        score(folder)
    assert not (folder / "scores").exists()


@pytest.mark.parametrize("block_bytes", [1, 30, 1 << 22])
@pytest.mark.parametrize("pair", [("who", "s0-0"), ("s0-0", "who"), ("s0", "who")])
def test_a_trial_without_a_vector_is_named_by_its_line(
    pair: tuple[str, str], block_bytes: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the previous scores of every back end stay."""
    monkeypatch.setattr(tables, "BLOCK_BYTES", block_bytes)
    write_trials(folder / "test/trials", [*random_trials(4), Trial(*pair, target=False)])
    previous = {score_file(folder / "scores/p", Path("trials"), name) for name in BACKENDS[:4]}
    (folder / "scores").mkdir()
    for path in previous:
        path.write_text("the previous ones\n")
    with pytest.raises(ValueError, match=r"test/trials, line 5: 'who' has no vector .*run stage 4"):
        score(folder, "cosine", "plda")
    assert set((folder / "scores").iterdir()) == previous  # nothing half written either
    assert {path.read_text() for path in previous} == {"the previous ones\n"}


def test_a_list_damaged_in_a_later_block_leaves_the_previous_scores(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = score(folder)
    before = (scores / "p.trials.cosine").read_text()
    monkeypatch.setattr(tables, "BLOCK_BYTES", 64)
    with (folder / "test/trials").open("a") as file:
        file.write("s0-0 s0-1 traget\n")
    with pytest.raises(ValueError, match=r"test/trials, line 101: expected .*, got 's0-0 s0-1 tr"):
        score(folder)
    assert (scores / "p.trials.cosine").read_text() == before
    assert not list(scores.glob("*.partial"))


@pytest.mark.parametrize("name", ["train", "test"])
def test_missing_vectors_name_the_stage_that_makes_them(name: str, folder: Path) -> None:
    (folder / f"p/xvectors_{name}/xvector.scp").unlink()
    with pytest.raises(ValueError, match=rf"xvectors_{name}/xvector.scp is missing: run stage 4 f"):
        score(folder)


@pytest.mark.parametrize(("number", "held_out"), [(0, False), (4, True)])
def test_a_training_utterance_without_a_vector_is_told(
    number: int, held_out: bool, folder: Path
) -> None:
    assert (f"t{number}" in held_out_of(TRAIN)) == held_out
    table = dict(sorted((TRAIN | {f"t{number}-9": f"t{number}"}).items()))
    write_data_dir(folder / "train", table)
    with pytest.raises(ValueError, match=rf"p/xvectors_train.*'t{number}-9'.*stage 4"):
        score(folder)


# Back ends


def test_command_scores_every_list_of_a_folder_by_vectors_read_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"trials": 5, "trials_hard": 3, "trials_hard_one_plus_99": 2}
    for name, count in counts.items():
        write_trials(folder / "test" / name, random_trials(count, seed=count))
    (folder / "test/trials_half.partial").write_text("s0-0 s0")
    backends = ("lda", "cosine")
    config = write_experiment(folder / "tiny.yaml", experiment_of(*backends))
    reads = []

    def read(directory: Path) -> dict[str, np.ndarray]:
        reads.append(directory.name)
        return read_unit_vectors(directory)

    monkeypatch.setattr(list_scoring, "read_unit_vectors", read)
    prefix = folder / "scores/fine.tuned"
    shutil.copytree(folder / "p", folder / "fine.tuned")
    paths = [str(path) for path in (folder / "train", folder / "test", folder)]
    words = ["score_trials.py", "--config", str(config), *paths, "fine.tuned"]
    monkeypatch.setattr("sys.argv", words)
    score_trials_command.main()
    assert sorted(reads) == ["xvectors_test", "xvectors_train"]
    names = {f"fine.tuned.{name}.{b}" for name in (*counts, "calibration_trials") for b in backends}
    found = {path.name for path in prefix.parent.iterdir()}
    assert found == names | {"calibration_trials", "config.yaml"}
    assert tuple(find_score_files(prefix, Path("trials"))) == backends  # the config's order
    for name in counts:
        trials = read_trials(folder / "test" / name)
        for backend in backends:
            scored = parse_scores(score_file(prefix, Path(name), backend))
            assert list(scored) == list(dict.fromkeys(trial[:2] for trial in trials))


@pytest.mark.parametrize("word", ["", "a/b"])
def test_a_phase_is_the_name_of_a_folder(
    word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["score_trials.py", "--config", "c", "train", "test", "experiment", word]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit):
        score_trials_command.main()
    assert f"'{word}': expected the name of a phase" in capsys.readouterr().err


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
    expected = split_speakers(sorted({*(TRAIN | copies).values()}), experiment.held_out, 0)
    assert set(held_out.values()) == set(expected[1]) == held_out_of(TRAIN)
    assert set(training.values()) == set(expected[0])
    assert len(expected[0]) == 30
    for key, speaker in (training | held_out).items():
        assert (TRAIN | copies)[key] == speaker


def test_what_cannot_be_fitted_is_told_and_its_earlier_scores_go(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scores = score(folder, *ALL)
    held_out = held_out_of(TRAIN)
    lone = {key: name for key, name in TRAIN.items() if name in held_out or key.endswith("-0")}
    replace_train(folder, lone)
    caplog.clear()
    score(folder, *ALL)
    told = [line for line in caplog.messages if OWN not in line]
    for line, backend in zip(told, ("lda", "plda", "plda_as_norm"), strict=True):
        assert line.startswith(f"no scores by {backend}: 15 training speakers with at most 1 utter")
    kept = ["cosine", "centred_cosine", "cosine_as_norm"]
    for name in ("trials", "calibration_trials"):
        assert list(find_score_files(scores / "p", Path(name))) == kept


# Crops


def crops_experiment() -> Experiment:
    return make_experiment(
        extraction={"method": "crops"}, scoring={"backends": ("cosine", "crop_distance")}
    )


def score_crops(folder: Path) -> Path:
    score_phase(crops_experiment(), folder / "train", folder / "test", folder, "p")
    return folder / "scores"


def test_crops_score_lists_and_calibration_trials(folder: Path) -> None:
    """All crops of all utterances of a speaker or a model count."""
    crops = {"train": make_crops(TRAIN, 0), "test": make_crops(TEST, 1)}
    for name, utt2spk in (("train", TRAIN), ("test", TEST)):
        write_crop_vectors(folder / f"p/xvectors_{name}", crops[name], utt2spk)
    write_models(folder / "test", MODELS)
    trials = [Trial(name, test, False) for name in (*MODELS, "s0", "s0-1") for test in TEST]
    write_trials(folder / "test/trials", trials)
    scores = score_crops(folder)
    members = {key: [key] for key in (*TRAIN, *TEST)} | {"s0": [*TEST][:3]} | MODELS
    for name, of_set in (("trials", crops["test"]), ("calibration_trials", crops["train"])):
        found = parse_scores(scores / f"p.{name}.crop_distance")
        assert len(found) > 60
        for (enroll, test), value in found.items():
            a, b = (np.concatenate([of_set[key] for key in members[x]]) for x in (enroll, test))
            expected = -np.mean(np.linalg.norm(a[:, None].astype(float) - b, axis=2))
            itself = test in members[enroll]  # see test_crop_distances
            assert value == pytest.approx(expected, abs=2e-4 if itself else 1e-5)
    assert list(find_score_files(scores / "p", Path("trials"))) == ["crop_distance", "cosine"]


def test_vectors_without_crops_are_scored_by_cosine(folder: Path) -> None:
    """Those of the statistics, whose scores of crops would be of something else."""
    (folder / "scores").mkdir()
    stale = folder / "scores/p.trials.crop_distance"
    stale.write_text("")
    assert list(find_score_files(score_crops(folder) / "p", Path("trials"))) == ["cosine"]
    assert not stale.exists()


def test_missing_crops_of_training_name_the_stage_that_makes_them(folder: Path) -> None:
    write_crop_vectors(folder / "p/xvectors_test", make_crops(TEST), TEST)
    vectors = make_vectors(TRAIN, 0, dim=16)
    write_xvectors(folder / "p/xvectors_train", vectors, TRAIN)
    with pytest.raises(
        ValueError, match=r"xvectors_train/xvector_crops\.scp is missing: run stage 4"
    ):
        score_crops(folder)
