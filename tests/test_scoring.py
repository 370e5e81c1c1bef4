"""Cosine scores of trials, against a slow direct computation; and score files."""

import math
from pathlib import Path

import kaldiio
import numpy as np
import pytest

import score_trials as score_trials_command
from deep_speaker import scoring
from deep_speaker.embeddings import write_xvectors
from deep_speaker.scoring import read_scores, read_xvectors, score_trials
from deep_speaker.trials import Trial, read_trials, write_trials

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
    score_trials(trial_list, xvector_dir, tmp_path / "scores")

    vectors = dict(kaldiio.load_scp(str(xvector_dir / "spk_xvector.scp")))
    vectors |= dict(kaldiio.load_scp(str(xvector_dir / "xvector.scp")))
    lines = (tmp_path / "scores").read_text().splitlines()
    assert len(lines) == len(trials)
    for line, trial in zip(lines, trials, strict=True):
        enroll, test, score = line.split(" ")
        assert (enroll, test) == trial[:2]
        a, b = vectors[enroll].astype(float), vectors[test].astype(float)
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        expected = dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(x * x for x in b))
        assert float(score) == pytest.approx(expected, abs=1e-6)
        assert len(score.partition(".")[2]) >= 6
    assert read_scores(tmp_path / "scores", trials) == pytest.approx(
        [float(line.split()[2]) for line in lines], abs=0
    )


def test_an_id_that_is_utterance_and_speaker_is_the_utterance(tmp_path: Path) -> None:
    """One recording per speaker, named as the speaker."""
    vectors = {"a": np.array([1.0, 0.0]), "a-2": np.array([0.0, 1.0]), "b": np.array([3.0, 4.0])}
    write_xvectors(tmp_path / "x", vectors, {"a": "a", "a-2": "a", "b": "b"})
    rows, unit = read_xvectors(tmp_path / "x")
    assert set(rows) == set(vectors)
    assert unit[rows["a"]].tolist() == [1, 0]
    assert unit[rows["b"]].tolist() == pytest.approx([0.6, 0.8])


def test_a_zero_vector_scores_zero_and_warns_nobody(tmp_path: Path) -> None:
    write_xvectors(tmp_path / "x", {"a": np.zeros(2), "b": np.ones(2)}, {"a": "a", "b": "b"})
    trial_list = make_trials(tmp_path / "trials", [Trial("a", "b", False)])
    score_trials(trial_list, tmp_path / "x", tmp_path / "scores")
    assert (tmp_path / "scores").read_text() == "a b 0.0000000\n"


def test_trials_without_vectors_are_counted_and_named(xvector_dir: Path, tmp_path: Path) -> None:
    trials = [Trial("s0-0", "s0-1", True), Trial("who", "s0-1", False), Trial("s0-0", "x9", False),
              Trial("who", "x9", True)]  # fmt: skip
    (tmp_path / "scores").write_text("the previous ones\n")
    with pytest.raises(ValueError, match=r"3 of 4 trials name 2 ids .*x: who, x9$"):
        score_trials(make_trials(tmp_path / "trials", trials), xvector_dir, tmp_path / "scores")
    many = [Trial(f"u{i}", "s0-0", False) for i in range(7)]
    with pytest.raises(
        ValueError, match=r"7 of 7 trials name 7 ids .*: u0, u1, u2, u3, u4, \.\.\.$"
    ):
        score_trials(make_trials(tmp_path / "trials", many), xvector_dir, tmp_path / "scores")
    assert (tmp_path / "scores").read_text() == "the previous ones\n"


@pytest.mark.parametrize("name", ["xvector.scp", "spk_xvector.scp"])
def test_missing_vectors_name_the_stage_that_makes_them(
    name: str, xvector_dir: Path, tmp_path: Path
) -> None:
    (xvector_dir / name).unlink()
    trial_list = make_trials(tmp_path / "trials", random_trials(3))
    with pytest.raises(ValueError, match=f"{name} is missing: run stage 4 first"):
        score_trials(trial_list, xvector_dir, tmp_path / "scores")


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


def test_command_scores_a_list(
    xvector_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial_list = make_trials(tmp_path / "trials", random_trials(5))
    output = tmp_path / "new/scores"
    monkeypatch.setattr(
        "sys.argv", ["score_trials.py", str(trial_list), str(xvector_dir), str(output)]
    )
    score_trials_command.main()
    score_trials(trial_list, xvector_dir, tmp_path / "direct")
    assert output.read_text() == (tmp_path / "direct").read_text()
    assert len(read_scores(output, read_trials(trial_list))) == 5
