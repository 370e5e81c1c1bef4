"""Run local/kaldi_plda.sh from end to end, with stand-ins for Kaldi's programs."""

from pathlib import Path

import kaldiio
import numpy as np
import pytest

from deep_speaker.embeddings.xvectors import write_xvectors
from deep_speaker.metrics.error_rates import equal_error_rate, error_rates
from deep_speaker.results.computation import compute_rows
from deep_speaker.scoring.calibration import fit_calibration
from deep_speaker.scoring.list_scoring import score_phase
from deep_speaker.trials.lists import Trial, read_trials, write_trials
from support.kaldi_experiments import (
    BACKENDS,
    HELD_OUT,
    LDA_DIM,
    LISTS,
    data_of,
    make_experiment_folder,
    run,
)
from support.kaldi_programs import PROGRAMS, install_programs
from support.scored_folders import MODELS, TEST, TRAIN, experiment_of
from support.tiny_xvectors import make_vectors, parse_scores, write_data_dir


@pytest.fixture(scope="module")
def kaldi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_programs(tmp_path_factory.mktemp("kaldi of mine"))


@pytest.fixture(scope="module")
def scored(kaldi: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Score an experiment by stage 5 and then by the script; return it and what was printed."""
    top = tmp_path_factory.mktemp("speakers of mine")
    experiment = make_experiment_folder(top)
    data = top / "data/mine"
    score_phase(experiment_of("cosine"), data / "train", data / "test", experiment, "finetuning")
    options = ("--trials", " ".join(LISTS), f"--lda-dim={LDA_DIM}")
    done = run(*options, "exp/mine/tiny", cwd=top, kaldi=kaldi)
    assert (done.returncode, done.stderr) == (0, "")
    return experiment, done.stdout


@pytest.mark.parametrize("name", [*LISTS, "calibration_trials"])
def test_cosines_are_those_of_stage_5(scored: tuple[Path, str], name: str) -> None:
    """Of utterances, speakers and models alike; a model's name goes before a speaker's."""
    scores = scored[0] / "scores"
    computed = parse_scores(scores / f"finetuning.{name}.kaldi_cosine")
    expected = parse_scores(scores / f"finetuning.{name}.cosine")
    assert list(computed) == list(expected)
    np.testing.assert_allclose([*computed.values()], [*expected.values()], rtol=0, atol=1e-6)


def read_vectors(folder: Path) -> dict[str, np.ndarray]:
    vectors = kaldiio.load_scp(str(folder / "xvector.scp"))
    return {key: vector.astype(float) for key, vector in vectors.items()}


def test_plda_is_fitted_on_the_speakers_that_are_not_held_out(scored: tuple[Path, str]) -> None:
    train = scored[0] / "finetuning/xvectors_train"
    training = {key for key, speaker in TRAIN.items() if speaker not in HELD_OUT}
    assert 0 < len(training) < len(TRAIN)
    assert set((train / "plda").read_text().split()) == training
    mean = np.mean([v for key, v in read_vectors(train).items() if key in training], axis=0)
    found = np.array((train / "mean.vec").read_text().split()[1:-1], dtype=float)
    np.testing.assert_allclose(found, mean, atol=1e-6)
    assert (train / "transform.mat").read_text() == str(LDA_DIM)


@pytest.mark.parametrize("name", LISTS)
def test_plda_scores_projected_means_by_the_number_of_their_utterances(
    scored: tuple[Path, str], name: str
) -> None:
    experiment = scored[0]
    train = read_vectors(experiment / "finetuning/xvectors_train")
    centre = np.mean([v for key, v in train.items() if TRAIN[key] not in HELD_OUT], axis=0)
    vectors = read_vectors(experiment / "finetuning/xvectors_test")

    def project(members: list[str]) -> np.ndarray:
        vector = (np.mean([vectors[key] for key in members], axis=0) - centre)[:LDA_DIM]
        return vector / np.linalg.norm(vector) * LDA_DIM**0.5

    groups = {key: [utt for utt in TEST if TEST[utt] == key] for key in TEST.values()} | MODELS
    for (enroll, test), score in parse_scores(
        experiment / f"scores/finetuning.{name}.kaldi_plda"
    ).items():
        members = groups.get(enroll, [enroll])
        expected = len(members) * (project(members) @ project([test]))
        assert score == pytest.approx(expected, rel=1e-4, abs=1e-4), (enroll, test)


def test_error_rates_of_each_list_are_printed(scored: tuple[Path, str]) -> None:
    """Kaldi's EER takes the nearest trial, where this recipe draws a line between two."""
    experiment, printed = scored
    lines = printed.splitlines()
    assert len(lines) == 2 * len([*LISTS, "calibration_trials"])
    assert "finetuning trials kaldi_plda: EER " in printed
    for line in lines:
        title, _, figures = line.partition(": EER ")
        phase, name, backend = title.split(" ")
        percent, _, rest = figures.partition(" ")
        assert rest == "%, minDCF 0.1234 (p-target 0.01)"
        folder = experiment / "scores" if name not in LISTS else data_of(experiment) / "test"
        labels = [trial.target for trial in read_trials(folder / name)]
        scores = parse_scores(experiment / f"scores/{phase}.{name}.{backend}")
        eer = equal_error_rate(error_rates(list(scores.values()), labels))
        assert float(percent) == pytest.approx(100 * eer, abs=100 / sum(labels))


def test_stage_6_takes_the_scores_up_and_calibrates_those_of_utterances(
    scored: tuple[Path, str],
) -> None:
    experiment = scored[0]
    rows = compute_rows(data_of(experiment) / "test", experiment / "scores", ["finetuning"])
    found = {(row["trials"], row["backend"]): row for row in rows}
    assert {(name.removeprefix("trials_"), backend) for name in LISTS for backend in BACKENDS} == {
        key for key in found if key[1] in BACKENDS
    }
    for backend in BACKENDS:
        assert found["trials", backend]["cllr"] is not None
        assert found["groups", backend].get("cllr") is None


def test_logs_stay_and_nothing_else(scored: tuple[Path, str]) -> None:
    scores = scored[0] / "scores"
    assert not [path for path in scores.iterdir() if path.is_dir() and path.name != "log"]
    log = (scores / "log/finetuning.lda.log").read_text()
    command, started, *said = log.splitlines()
    assert command.startswith(
        f"# ivector-compute-lda --total-covariance-factor=0.0 --dim={LDA_DIM}"
    )
    assert started.startswith("# Started at ")
    assert said


def test_programs_on_the_path_another_phase_and_a_folder_behind_a_link(
    kaldi: Path, tmp_path: Path
) -> None:
    """Without stage 5 nothing calibrates; without a note of them no speaker is held out."""
    experiment = make_experiment_folder(tmp_path, "statistics")
    (experiment / "statistics/xvectors_train/held_out_speakers").unlink()
    (tmp_path / "exp").rename(tmp_path / "disk")
    (tmp_path / "exp").symlink_to("disk")
    folders = dict.fromkeys(f"{kaldi / name}".rpartition("/")[0] for name in PROGRAMS)
    options = ("--phase", "statistics", "--lda-dim", LDA_DIM)
    done = run(*options, "exp/mine/tiny/", cwd=tmp_path, path=f"{':'.join(folders)}:")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in experiment.glob("scores/*.*")) == [
        "statistics.trials.kaldi_cosine",
        "statistics.trials.kaldi_plda",
    ]
    plda = experiment / "statistics/xvectors_train/plda"
    assert set(plda.read_text().split()) == TRAIN.keys()


def test_copies_at_other_speeds_are_held_out_with_their_originals(
    kaldi: Path, tmp_path: Path
) -> None:
    """Also those whom calibration trials name, as of x-vectors of other programs."""
    experiment = make_experiment_folder(tmp_path)
    calibrating = sorted(set(TRAIN.values()) - HELD_OUT)[:2]
    copies = {f"sp0.9-{key}": f"sp0.9-{speaker}" for key, speaker in TRAIN.items()}
    utt2spk = dict(sorted((TRAIN | copies).items()))
    write_data_dir(data_of(experiment) / "train", utt2spk)
    train = experiment / "finetuning/xvectors_train"
    write_xvectors(train, make_vectors(utt2spk, 0), utt2spk, HELD_OUT)
    pairs = [(f"{calibrating[i]}-0", f"{calibrating[j]}-1") for i, j in ((0, 0), (0, 1), (1, 1))]
    (experiment / "scores").mkdir()
    trials = [Trial(a, b, a[:-2] == b[:-2]) for a, b in pairs]
    write_trials(experiment / "scores/calibration_trials", trials)
    done = run("--lda-dim", LDA_DIM, experiment, cwd=tmp_path, kaldi=kaldi)
    assert done.returncode == 0, done.stderr
    out = HELD_OUT | set(calibrating)
    assert set((train / "plda").read_text().split()) == {
        key for key, speaker in utt2spk.items() if speaker.removeprefix("sp0.9-") not in out
    }


def test_calibrate_true_also_writes_log_likelihood_ratios_of_lists_of_utterances(
    kaldi: Path, tmp_path: Path
) -> None:
    """A line through the scores: that of logistic regression on the held-out speakers' pairs."""
    experiment = make_experiment_folder(tmp_path)
    data = data_of(experiment)
    places = data / "train", data / "test", experiment
    score_phase(experiment_of("cosine"), *places, "finetuning")
    options = ("--lda-dim", LDA_DIM, "--trials", " ".join(LISTS), "--calibrate", "true")
    done = run(*options, experiment, cwd=tmp_path, kaldi=kaldi)
    assert (done.returncode, done.stderr) == (0, "")
    scores = experiment / "scores"
    assert [path.name for path in scores.glob("*.llr")] == ["finetuning.trials.kaldi_plda.llr"]
    assert done.stdout.endswith("finetuning.trials.kaldi_plda.llr: log likelihood ratios\n")
    before = parse_scores(scores / "finetuning.trials.kaldi_plda")
    after = parse_scores(scores / "finetuning.trials.kaldi_plda.llr")
    assert list(after) == list(before)
    known = parse_scores(scores / "finetuning.calibration_trials.kaldi_plda")
    labels = np.array([trial.target for trial in read_trials(scores / "calibration_trials")])
    fitted = fit_calibration(np.array([*known.values()])[:, None], labels, 0.01)
    expected = fitted.llrs(np.array([*before.values()])[:, None])
    assert [*after.values()] == pytest.approx(expected.tolist(), rel=1e-3, abs=1e-3)
    # Then all speakers fit, and nothing is left of the calibration before.
    done = run("--lda-dim", LDA_DIM, "--calibrate=false", experiment, cwd=tmp_path, kaldi=kaldi)
    assert (done.returncode, done.stderr) == (0, "")
    plda = experiment / "finetuning/xvectors_train/plda"
    assert set(plda.read_text().split()) == TRAIN.keys()
    assert not [*scores.glob("*.llr"), *scores.glob("*calibration_trials.kaldi*")]


def test_help_is_the_header(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for option in ("--phase finetuning", "--trials trials", "--lda-dim 150", "--calibrate true"):
        assert f"  {option} " in done.stdout
    assert "set -e" not in done.stdout
