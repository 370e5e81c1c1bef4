"""Check what local/kaldi_plda.sh says of mistakes and failures, and what it leaves."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deep_speaker.embeddings.xvectors import write_xvectors
from support.kaldi_experiments import HELD_OUT, LDA_DIM, data_of, make_experiment_folder, run
from support.kaldi_programs import install_programs
from support.scored_folders import TRAIN
from support.tiny_xvectors import make_vectors


@pytest.fixture(scope="module")
def kaldi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_programs(tmp_path_factory.mktemp("kaldi of mine"))


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an experiment that no test changes."""
    return make_experiment_folder(tmp_path_factory.mktemp("untouched"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["exp/mine/tiny"], "no ivector-plda-scoring: set KALDI_ROOT"),
        ([], "expected one folder exp/<name>/<experiment>, got 0"),
        (["exp/mine/tiny", "exp"], "expected one folder exp/<name>/<experiment>, got 2"),
        (["exp/mine/none"], "exp/mine/none: no such folder"),
        (["exp/mine"], "exp/mine/finetuning: no xvectors_{train,test}: run stage 4"),
        (["--phase", "pretraining", "exp/mine/tiny"], "run stage 4, or see --phase"),
        (["--trials", "trials none", "exp/mine/tiny"], "test/none: missing or empty: run stage 0"),
        (["--lda-dim", "0", "exp/mine/tiny"], "--lda-dim 0: expected a whole number"),
        (["--lda-dim=x", "exp/mine/tiny"], "--lda-dim x: expected a whole number"),
        (["--calibrate", "yes", "exp/mine/tiny"], "--calibrate yes: expected true or false"),
        (["--calibrate", "true", "exp/mine/tiny"], "calibration_trials: run stage 5, which draws"),
        (["exp/mine/tiny", "--trials"], "option --trials needs a value"),
        (["--trial", "x", "exp/mine/tiny"], "unknown option --trial"),
    ],
)
def test_mistakes_are_told_in_a_line_before_any_work(
    untouched: Path, words: list[str], told: str
) -> None:
    done = run(*words, cwd=untouched.parents[2])
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("kaldi_plda.sh: ")
    assert told in line
    assert not (untouched / "scores").exists()


def lose_a_vector(experiment: Path) -> None:
    """Take an utterance of a speaker and of a model from the x-vectors."""
    scp = experiment / "finetuning/xvectors_test/xvector.scp"
    lines = scp.read_text().splitlines(keepends=True)
    scp.write_text("".join(line for line in lines if not line.startswith("s0-2 ")))


def enrol_a_stranger(experiment: Path) -> None:
    with (data_of(experiment) / "test/trials_groups").open("a") as file:
        file.write("stranger s1-1 target\n")


@pytest.mark.parametrize(
    ("spoil", "words", "failing", "told"),
    [
        (None, ["--lda-dim", "15"], "", "--lda-dim 15: expected fewer than the 15 training"),
        (None, ["--lda-dim", "7"], "", "at most the 6 dimensions of the x-vectors"),
        (enrol_a_stranger, [], "", "trials_groups: mend it, or run stage 4 anew: Key stranger not"),
        (lose_a_vector, [], "", "trials_groups: mend it, or run stage 4 anew: Key s0 not"),
        (
            None,
            [],
            "ivector-compute-plda",
            "ERROR (ivector-compute-plda[5.5]:main()) No good; see ",
        ),
        (None, [], "transform-vec", "project: ERROR (transform-vec[5.5]:main()) No good; see "),
        (None, [], "prepare_for_eer.py", "compute_eer: ERROR (prepare_for_eer.py[5.5]:main())"),
    ],
)
def test_failures_are_told_in_a_line_and_leave_what_there_was(
    kaldi: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None] | None,
    words: list[str],
    failing: str,
    told: str,
) -> None:
    experiment = make_experiment_folder(tmp_path)
    if spoil:
        spoil(experiment)
    before = experiment / "scores/finetuning.trials_groups.kaldi_plda"
    before.parent.mkdir()
    before.write_text("earlier scores\n")
    options = ["--trials", "trials_groups", f"--lda-dim={LDA_DIM}", *words]
    done = run(*options, experiment, cwd=tmp_path, kaldi=kaldi, failing=failing)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("kaldi_plda.sh: ")
    assert told in line
    assert before.read_text() == "earlier scores\n"
    assert {path.name for path in before.parent.iterdir()} == {"log", before.name}
    assert not (experiment / "finetuning/xvectors_train/plda").exists()


def test_too_few_utterances_for_the_lda_are_told(kaldi: Path, tmp_path: Path) -> None:
    experiment = make_experiment_folder(tmp_path)
    train = experiment / "finetuning/xvectors_train"
    write_xvectors(train, make_vectors(TRAIN, 0, dim=61), TRAIN, HELD_OUT)
    done = run(experiment, cwd=tmp_path, kaldi=kaldi)
    assert done.returncode == 1
    assert "60 utterances of 15 training speakers are too few for LDA: it wants 61" in done.stderr
