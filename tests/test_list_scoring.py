"""Scores of trials, against a slow direct computation; and score files."""

import math
from pathlib import Path

import kaldiio
import numpy as np
import pytest
import torch

import score_trials as score_trials_command
from deep_speaker import scoring
from deep_speaker.archives import ArchiveWriter, write_scp
from deep_speaker.data_dir import write_spk2utt
from deep_speaker.scoring import (
    crop_distance_scores,
    find_scores,
    read_crops,
    read_scores,
    read_xvectors,
    score_trials,
)
from deep_speaker.trials import Trial, read_trials, write_models, write_trials
from deep_speaker.xvectors import write_xvectors

UTT2SPK = {f"s{speaker}-{i}": f"s{speaker}" for speaker in range(4) for i in range(3)}


@pytest.fixture
def xvector_dir(tmp_path: Path) -> Path:
    """Vectors of different lengths, which cosines must not see."""
    rng = np.random.default_rng(0)
    vectors = {key: rng.normal(0, 1, 6) * rng.uniform(0.1, 10) for key in UTT2SPK}
    write_xvectors(tmp_path / "x", vectors, UTT2SPK)
    return tmp_path / "x"


def make_trials(path: Path, trials: list[Trial]) -> Path:
    write_trials(path, trials)
    return path


def random_trials(count: int) -> list[Trial]:
    """Pairs of utterances, and of speakers with utterances, in no order."""
    rng = np.random.default_rng(1)
    keys = [*UTT2SPK, *set(UTT2SPK.values())]
    return [
        Trial(keys[i], list(UTT2SPK)[j], bool(i % 2))
        for i, j in zip(
            rng.integers(len(keys), size=count), rng.integers(len(UTT2SPK), size=count), strict=True
        )
    ]


@pytest.mark.parametrize("at_once", [1, 7, 4096])
def test_scores_equal_the_cosine_formula_in_the_order_of_the_trials(
    at_once: int, xvector_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "TRIALS_AT_ONCE", at_once)
    trials = random_trials(100)
    trial_list = make_trials(tmp_path / "trials", trials)
    score_trials([trial_list], xvector_dir, tmp_path / "p")

    vectors = dict(kaldiio.load_scp(str(xvector_dir / "spk_xvector.scp")))
    vectors |= dict(kaldiio.load_scp(str(xvector_dir / "xvector.scp")))
    lines = (tmp_path / "p.trials.cosine").read_text().splitlines()
    assert len(lines) == len(trials)
    for line, trial in zip(lines, trials, strict=True):
        enroll, test, score = line.split(" ")
        assert (enroll, test) == trial[:2]
        a, b = vectors[enroll].astype(float), vectors[test].astype(float)
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        expected = dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(x * x for x in b))
        assert float(score) == pytest.approx(expected, abs=1e-6)
        assert len(score.partition(".")[2]) >= 6
    assert read_scores(tmp_path / "p.trials.cosine", trials) == pytest.approx(
        [float(line.split()[2]) for line in lines], abs=0
    )


def test_an_id_that_is_utterance_and_speaker_is_the_utterance(tmp_path: Path) -> None:
    """One recording per speaker, named as the speaker."""
    vectors = {"a": np.array([1.0, 0.0]), "a-2": np.array([0.0, 1.0]), "b": np.array([3.0, 4.0])}
    write_xvectors(tmp_path / "x", vectors, {"a": "a", "a-2": "a", "b": "b"})
    for models in ({}, {"a": ["b"]}):
        rows, unit = read_xvectors(tmp_path / "x", models)
        assert set(rows) == set(vectors)
        assert unit[rows["a"]].tolist() == [1, 0]
        assert unit[rows["b"]].tolist() == pytest.approx([0.6, 0.8])


MODELS = {
    "m": ["s0-0", "s0-2"],
    "s1": ["s1-1"],
    "alone": ["s2-0"],
    "twin": ["s3-0", "s3-1", "s3-2"],
}


def test_a_model_is_the_mean_of_its_utterances_at_unit_length(
    xvector_dir: Path, tmp_path: Path
) -> None:
    """Long and short vectors count alike; a model named as a speaker is the model."""
    trials = [Trial(model, test, False) for model in MODELS for test in UTT2SPK]
    trial_list = make_trials(tmp_path / "trials", trials)
    score_trials([trial_list], xvector_dir, tmp_path / "p", MODELS)
    vectors = dict(kaldiio.load_scp(str(xvector_dir / "xvector.scp")))
    unit = {key: vector / np.linalg.norm(vector) for key, vector in vectors.items()}
    scores = read_scores(tmp_path / "p.trials.cosine", trials)
    for trial, score in zip(trials, scores, strict=True):
        mean = sum(unit[key] for key in MODELS[trial.enroll])
        expected = mean @ unit[trial.test] / np.linalg.norm(mean)
        assert score == pytest.approx(expected, abs=1e-6)
    by_utterance = [Trial("s2-0", test, False) for test in UTT2SPK]
    score_trials([make_trials(tmp_path / "single", by_utterance)], xvector_dir, tmp_path / "p")
    single = read_scores(tmp_path / "p.single.cosine", by_utterance)
    alone = [i for i, trial in enumerate(trials) if trial.enroll == "alone"]
    assert scores[alone] == pytest.approx(single, abs=1e-6)


def test_a_model_worked_by_hand(tmp_path: Path) -> None:
    vectors = {"a-1": np.array([5.0, 0.0]), "a-2": np.array([0.0, 0.1]), "a-3": np.array([-2.0, 0])}
    write_xvectors(tmp_path / "x", vectors, dict.fromkeys(vectors, "a"))
    models = {"up": ["a-1", "a-2"], "nowhere": ["a-1", "a-3"]}
    rows, unit = read_xvectors(tmp_path / "x", models)
    assert unit.dtype == np.float32
    assert unit[rows["up"]].tolist() == pytest.approx([math.sqrt(0.5)] * 2)
    assert unit[rows["nowhere"]].tolist() == [0, 0]  # opposite vectors, and no warning


def test_a_model_of_utterances_without_vectors_is_refused(
    xvector_dir: Path, tmp_path: Path
) -> None:
    trial_list = make_trials(tmp_path / "trials", random_trials(3))
    models = {"m": ["s0-0", "x9"], "n": ["who", "s0-1"]}
    for folder in (xvector_dir, write_crops(tmp_path / "crops", random_crops())):
        with pytest.raises(
            ValueError, match=r"2 utterances of the models in enroll_spk2utt .*first 'x9' of 'm'"
        ):
            score_trials([trial_list], folder, tmp_path / "p", models)
    assert not list(tmp_path.glob("p.*"))


def test_a_zero_vector_scores_zero_and_warns_nobody(tmp_path: Path) -> None:
    write_xvectors(tmp_path / "x", {"a": np.zeros(2), "b": np.ones(2)}, {"a": "a", "b": "b"})
    trial_list = make_trials(tmp_path / "trials", [Trial("a", "b", False)])
    score_trials([trial_list], tmp_path / "x", tmp_path / "p")
    assert (tmp_path / "p.trials.cosine").read_text() == "a b 0.0000000\n"


def test_trials_without_vectors_are_counted_and_named(xvector_dir: Path, tmp_path: Path) -> None:
    trials = [Trial("s0-0", "s0-1", True), Trial("who", "s0-1", False), Trial("s0-0", "x9", False),
              Trial("who", "x9", True)]  # fmt: skip
    (tmp_path / "p.trials.cosine").write_text("the previous ones\n")
    with pytest.raises(ValueError, match=r"3 of 4 trials name 2 ids .*x: who, x9$"):
        score_trials([make_trials(tmp_path / "trials", trials)], xvector_dir, tmp_path / "p")
    many = [Trial(f"u{i}", "s0-0", False) for i in range(7)]
    with pytest.raises(
        ValueError, match=r"7 of 7 trials name 7 ids .*: u0, u1, u2, u3, u4, \.\.\.$"
    ):
        score_trials([make_trials(tmp_path / "trials", many)], xvector_dir, tmp_path / "p")
    assert (tmp_path / "p.trials.cosine").read_text() == "the previous ones\n"


@pytest.mark.parametrize("name", ["xvector.scp", "spk_xvector.scp"])
def test_missing_vectors_name_the_stage_that_makes_them(
    name: str, xvector_dir: Path, tmp_path: Path
) -> None:
    (xvector_dir / name).unlink()
    trial_list = make_trials(tmp_path / "trials", random_trials(3))
    with pytest.raises(ValueError, match=f"{name} is missing: run stage 4 first"):
        score_trials([trial_list], xvector_dir, tmp_path / "p")


@pytest.mark.parametrize("separator", [" ", "\t", "   "])
def test_scores_of_other_toolkits_are_read_in_any_order(separator: str, tmp_path: Path) -> None:
    trials = [Trial("a", "b", True), Trial("b", "a", False), Trial("a", "b", True)]
    lines = ["b a -1.5e-3 ", "x y 7", "a b 12"]  # Kaldi ends a line with a space
    (tmp_path / "s").write_text("".join(line.replace(" ", separator) + "\n" for line in lines))
    scores = read_scores(tmp_path / "s", trials)
    assert scores.tolist() == [12, -1.5e-3, 12]
    assert scores.dtype == np.float64


@pytest.mark.parametrize("line", ["a b", "a b c", "a b 1 2", "", "a b 0,5"])
def test_a_line_that_is_no_score_is_quoted_with_its_number(line: str, tmp_path: Path) -> None:
    (tmp_path / "s").write_text(f"a b 1\n{line}\n")
    with pytest.raises(ValueError, match=r"s, line 2: expected 'enroll test score', got ") as error:
        read_scores(tmp_path / "s", [Trial("a", "b", True)])
    assert repr(line + "\n") in str(error.value)


def test_trials_without_a_score_are_counted_and_the_first_named(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("a b 1\n")
    trials = [Trial("a", "b", True), Trial("b", "a", True), Trial("c", "d", False)]
    with pytest.raises(ValueError, match="2 of 3 trials have no score, first b a: run stage 5"):
        read_scores(tmp_path / "s", trials)


def test_missing_scores_name_the_stage_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scores is missing: run stage 5 first"):
        read_scores(tmp_path / "scores", [])


def test_command_scores_every_list_of_a_folder_by_vectors_read_once(
    xvector_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_dir = tmp_path / "test"
    lists = [
        make_trials(test_dir / name, random_trials(count))
        for name, count in (("trials", 5), ("trials_hard", 3), ("trials_hard_one_plus_99", 2))
    ]
    (test_dir / "trials_half.partial").write_text("s0-0 s0")
    reads = []

    def read(folder: Path, models: dict[str, list[str]]) -> tuple[dict[str, int], np.ndarray]:
        reads.append(folder)
        return read_xvectors(folder, models)

    monkeypatch.setattr(scoring, "read_xvectors", read)
    prefix = tmp_path / "new/scores/fine.tuned"
    monkeypatch.setattr(
        "sys.argv", ["score_trials.py", str(test_dir), str(xvector_dir), str(prefix)]
    )
    score_trials_command.main()
    assert reads == [xvector_dir]
    assert {path.name for path in prefix.parent.iterdir()} == {
        f"fine.tuned.{path.name}.cosine" for path in lists
    }
    for path in lists:
        trials = read_trials(path)
        score_trials([path], xvector_dir, tmp_path / "direct")
        alone = read_scores(scoring.score_file(tmp_path / "direct", path), trials)
        assert read_scores(scoring.score_file(prefix, path), trials).tolist() == alone.tolist()


def test_command_enrols_the_models_of_the_data_directory(
    xvector_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = [Trial("m", "s0-1", True), Trial("m", "s2-1", False)]
    trial_list = make_trials(tmp_path / "test/trials_enrolment_2", trials)
    write_models(tmp_path / "test", MODELS)
    monkeypatch.setattr(
        "sys.argv", ["score_trials.py", *(str(tmp_path / name) for name in ("test", "x", "p"))]
    )
    score_trials_command.main()
    score_trials([trial_list], xvector_dir, tmp_path / "direct", MODELS)
    name = "trials_enrolment_2.cosine"
    assert (tmp_path / f"p.{name}").read_text() == (tmp_path / f"direct.{name}").read_text()


# Distances of crops


def write_crops(folder: Path, crops: dict[str, np.ndarray]) -> Path:
    """An x-vector directory as stage 4 leaves it for the scoring `crop_distance`."""
    write_xvectors(folder, {key: values.mean(axis=0) for key, values in crops.items()}, UTT2SPK)
    with ArchiveWriter(folder / "xvector_crops.ark") as writer:
        for key in reversed(crops):  # in the order of their lengths, on a GPU
            writer.write(key, crops[key])
    write_scp(folder / "xvector_crops.scp", writer.scp)
    write_spk2utt(folder / "spk2utt", UTT2SPK)
    return folder


def random_crops(seed: int = 0, num_crops: int = 5, dim: int = 16) -> dict[str, np.ndarray]:
    """Unit-length crops that lie near each other within an utterance."""
    rng = np.random.default_rng(seed)
    crops = rng.normal(0, 1, (len(UTT2SPK), 1, dim)) + rng.normal(0, 0.3, (1, num_crops, dim))
    crops /= np.linalg.norm(crops, axis=2, keepdims=True)
    return dict(zip(UTT2SPK, crops.astype(np.float32), strict=True))


@pytest.mark.parametrize("at_once", [1, 7, 64])
def test_crop_distances_are_those_of_the_slow_loop(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all crops of an utterance, and of all utterances of a speaker or model."""
    monkeypatch.setattr(scoring, "CROP_TRIALS_AT_ONCE", at_once)
    crops, trials = random_crops(), random_trials(150)
    trials += [Trial(model, test, False) for model in MODELS for test in UTT2SPK]
    trial_list = make_trials(tmp_path / "trials", trials)
    score_trials([trial_list], write_crops(tmp_path / "x", crops), tmp_path / "p", MODELS)

    of_speakers = {
        speaker: np.concatenate([crops[key] for key in UTT2SPK if UTT2SPK[key] == speaker])
        for speaker in UTT2SPK.values()
    }
    of_models = {
        model: np.concatenate([crops[key] for key in utterances])
        for model, utterances in MODELS.items()
    }
    sides = {
        key: torch.from_numpy(values).double()
        for key, values in (crops | of_speakers | of_models).items()
    }
    scores = read_scores(tmp_path / "p.trials.crop_distance", trials)
    assert any(trial.enroll in of_speakers for trial in trials)
    for trial, score in zip(trials, scores, strict=True):
        expected = -torch.cdist(sides[trial.enroll], sides[trial.test]).mean()
        # An utterance with itself: float32 cannot tell 1 - 1e-7 from 1, whose root is 4e-4.
        itself = trial.test in (trial.enroll, *members(trial.enroll), *MODELS.get(trial.enroll, []))
        assert score == pytest.approx(float(expected), abs=2e-4 if itself else 1e-5)


def members(speaker: str) -> list[str]:
    return [key for key in UTT2SPK if UTT2SPK[key] == speaker]


def test_crop_distances_worked_by_hand() -> None:
    right, up, left = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]
    crops = np.array([[right, right], [up, left]], np.float32)
    scores = crop_distance_scores(crops, np.array([0, 0, 1]), np.array([0, 1, 1]))
    root = math.sqrt(2)
    assert scores.tolist() == pytest.approx([0, -(root + 2) / 2, -root / 2])


def test_crops_name_utterances_before_speakers(tmp_path: Path) -> None:
    crops = random_crops()
    rows, stacked = read_crops(write_crops(tmp_path / "x", crops))
    assert rows.keys() == UTT2SPK.keys() | set(UTT2SPK.values())
    for key, values in crops.items():
        assert np.array_equal(stacked[rows[key]], values[None])
    assert rows["s1"] == [row for key in members("s1") for row in rows[key]]


def test_scores_of_another_backend_do_not_stay(tmp_path: Path) -> None:
    trial_list = make_trials(tmp_path / "trials", random_trials(3))
    with pytest.raises(ValueError, match=r"p\.trials\.cosine is missing: run stage 5 first"):
        find_scores(tmp_path / "p", trial_list)
    with_crops = write_crops(tmp_path / "crops", random_crops())
    write_xvectors(tmp_path / "x", {key: np.ones(2) for key in UTT2SPK}, UTT2SPK)
    for folder, backend in (
        (with_crops, "crop_distance"),
        (tmp_path / "x", "cosine"),
        (with_crops, "crop_distance"),
    ):
        score_trials([trial_list], folder, tmp_path / "p")
        expected = tmp_path / f"p.trials.{backend}"
        assert find_scores(tmp_path / "p", trial_list) == (backend, expected)
        assert list(tmp_path.glob("p.*")) == [expected]


def test_trials_without_crops_are_counted_and_named(tmp_path: Path) -> None:
    trial_list = make_trials(tmp_path / "trials", [Trial("s0", "who", False)])
    with pytest.raises(ValueError, match=r"1 of 1 trials name 1 ids not in .*x: who$"):
        score_trials([trial_list], write_crops(tmp_path / "x", random_crops()), tmp_path / "p")
