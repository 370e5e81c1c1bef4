"""Stage 5 with --backend-dir and --adaptation-set: rows, files, and what is refused."""

import shutil
from pathlib import Path

import kaldiio
import numpy as np
import pytest

import score_trials as score_trials_command
from deep_speaker.embeddings.xvectors import write_xvectors
from deep_speaker.kaldi.archives import write_vectors
from deep_speaker.scoring.kaldi_plda_files import read_backend
from support import kaldi_plda
from support.scored_folders import TEST, experiment_of
from support.tiny_data import write_experiment
from support.tiny_xvectors import make_utt2spk, make_vectors, parse_scores, write_data_dir

OTHER = make_utt2spk("o", 6, 3)
DIM = 6


def write_kaldi_backend(folder: Path) -> kaldi_plda.Plda:
    """Write a back end of Kaldi that no training of this recipe would give."""
    rng = np.random.default_rng(9)
    plda = kaldi_plda.Plda(rng.normal(size=3), rng.normal(size=(3, 3)), np.array([5.0, 2, 1]))
    folder.mkdir()
    (folder / "plda").write_bytes(plda.write())
    kaldiio.save_mat(str(folder / "mean.vec"), rng.normal(size=DIM).astype(np.float32))
    kaldiio.save_mat(str(folder / "transform.mat"), rng.normal(size=(3, DIM)).astype(np.float32))
    return plda


def project(folder: Path, vectors: np.ndarray) -> np.ndarray:
    """The programs of Kaldi before ivector-plda-scoring."""
    mean = kaldiio.load_mat(str(folder / "mean.vec"))
    projected = (vectors - mean) @ kaldiio.load_mat(str(folder / "transform.mat")).T
    return projected / np.linalg.norm(projected, axis=1, keepdims=True) * projected.shape[1] ** 0.5


def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str, backends: str = "plda"
) -> None:
    config = write_experiment(folder / "tiny.yaml", experiment_of(*backends.split()))
    paths = [str(path) for path in (folder / "train", folder / "test", folder)]
    words = ["score_trials.py", "--config", str(config), *options, *paths, "p"]
    monkeypatch.setattr("sys.argv", words)
    score_trials_command.main()


def rows(folder: Path) -> set[str]:
    return {path.name.rpartition(".")[2] for path in (folder / "scores").glob("p.trials.*")}


def embed_other(folder: Path) -> Path:
    data_dir = write_data_dir(folder / "other", OTHER)
    vectors = {key: vector + 3 for key, vector in make_vectors(OTHER, 5).items()}
    write_xvectors(folder / "p/xvectors_adaptation", vectors, OTHER)
    return data_dir


def test_given_plda_scores_as_kaldis_programs_at_the_length_that_vectors_have(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The x-vectors of this folder have no unit length; speakers enrol by means and counts."""
    plda = write_kaldi_backend(folder / "kaldi")
    run(folder, monkeypatch, "--backend-dir", str(folder / "kaldi"))
    assert rows(folder) == {"plda", "given_plda"}
    vectors = dict(kaldiio.load_scp(str(folder / "p/xvectors_test/xvector.scp")))
    assert len({round(float(np.linalg.norm(v)), 3) for v in vectors.values()}) > 3
    scores = parse_scores(folder / "scores/p.trials.given_plda")
    enrolled = {enroll for enroll, _ in scores}
    assert enrolled - vectors.keys()  # speakers
    for (enroll, test), score in scores.items():
        members = [enroll] if enroll in vectors else [k for k in vectors if TEST[k] == enroll]
        mean = np.mean([vectors[key] for key in members], axis=0)
        one, other = project(folder / "kaldi", np.stack([mean, vectors[test]]))
        assert score == pytest.approx(plda.score(one, len(members), other), rel=1e-3, abs=1e-3)


def test_calibration_trials_are_scored_by_it_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_kaldi_backend(folder / "kaldi")
    run(folder, monkeypatch, "--backend-dir", str(folder / "kaldi"))
    listed = (folder / "scores/calibration_trials").read_text().splitlines()
    assert len(parse_scores(folder / "scores/p.calibration_trials.given_plda")) == len(listed)


def test_the_fitted_plda_is_left_for_kaldi_and_scores_the_same_when_given_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of vectors at unit length, as stage 4 writes them."""
    for part in ("train", "test"):
        scp = folder / f"p/xvectors_{part}/xvector.scp"
        vectors = {k: v / np.linalg.norm(v) for k, v in kaldiio.load_scp(str(scp)).items()}
        write_vectors(scp.with_suffix(""), scp.with_suffix(""), vectors)
    run(folder, monkeypatch)
    (folder / "p/plda").rename(folder / "mine")
    run(folder, monkeypatch, "--backend-dir", str(folder / "mine"))
    fitted = parse_scores(folder / "scores/p.trials.plda")
    given = parse_scores(folder / "scores/p.trials.given_plda")
    assert [*given.values()] == pytest.approx([*fitted.values()], rel=1e-4, abs=1e-3)


def test_later_runs_remove_rows_and_folders_that_are_not_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_kaldi_backend(folder / "kaldi")
    other = embed_other(folder)
    asked = ["--backend-dir", str(folder / "kaldi"), "--adaptation-set", str(other)]
    run(folder, monkeypatch, *asked)
    assert rows(folder) == {"plda", "given_plda", "adapted_plda", "adapted_given_plda"}
    made = {"plda", "adapted_plda", "adapted_given_plda"}
    assert {path.parent.name for path in (folder / "p").glob("*/plda")} == made
    run(folder, monkeypatch, backends="cosine")
    assert rows(folder) == {"cosine"}
    assert not list((folder / "p").glob("*/plda"))


def test_adapted_plda_is_kaldis_on_unlabelled_vectors(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_kaldi_backend(folder / "kaldi")
    other = embed_other(folder)
    run(folder, monkeypatch, "--backend-dir", str(folder / "kaldi"), "--adaptation-set", str(other))
    vectors = np.stack(
        [*kaldiio.load_scp(str(folder / "p/xvectors_adaptation/xvector.scp")).values()]
    )
    for name, before in (("adapted_plda", "p/plda"), ("adapted_given_plda", "kaldi")):
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        taken = unit if name == "adapted_plda" else vectors
        centred = folder / f"p/{name}"
        mean = kaldiio.load_mat(str(centred / "mean.vec"))
        assert mean == pytest.approx(taken.mean(axis=0), abs=1e-5)
        original = kaldi_plda.Plda.read((folder / before / "plda").read_bytes())
        expected = kaldi_plda.update_plda(original, project(centred, taken))
        found = kaldi_plda.Plda.read((centred / "plda").read_bytes())
        assert found.psi_ == pytest.approx(expected.psi_, rel=1e-3, abs=1e-6)
        assert read_backend(centred, DIM).plda is not None
    scores = [parse_scores(folder / f"scores/p.trials.{name}") for name in ("adapted_plda", "plda")]
    assert scores[0] != scores[1]


def test_a_given_plda_scores_the_last_phase_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was fitted on vectors of one network; the control is listed last, and is not meant."""
    write_kaldi_backend(folder / "kaldi")
    for phase in ("pretraining", "finetuning", "pretraining_continued"):
        shutil.copytree(folder / "p", folder / phase)
    config = write_experiment(folder / "tiny.yaml", experiment_of("cosine"))
    paths = [str(path) for path in (folder / "train", folder / "test", folder)]
    words = ["--config", str(config), "--backend-dir", str(folder / "kaldi"), *paths]
    phases = ["pretraining", "finetuning", "pretraining_continued"]
    monkeypatch.setattr("sys.argv", ["score_trials.py", *words, *phases])
    score_trials_command.main()
    found = {path.name for path in (folder / "scores").glob("*.trials.given_plda")}
    assert found == {"finetuning.trials.given_plda"}


def test_what_cannot_be_adapted_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir = write_data_dir(folder / "other", OTHER)
    asked = ("--adaptation-set", str(data_dir))
    with pytest.raises(ValueError, match=r"adaptation is missing: run stage 4 with --adaptation"):
        run(folder, monkeypatch, *asked)
    embed_other(folder)
    with pytest.raises(ValueError, match=r"no PLDA to adapt: add plda to scoring.backends"):
        run(folder, monkeypatch, *asked, backends="cosine")
    write_data_dir(folder / "other", make_utt2spk("x", 2, 2))
    with pytest.raises(ValueError, match="of other utterances than"):
        run(folder, monkeypatch, *asked)


def test_without_training_speakers_the_given_plda_still_scores(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_kaldi_backend(folder / "kaldi")
    (folder / "train").rename(folder / "elsewhere")
    run(folder, monkeypatch, "--backend-dir", str(folder / "kaldi"), backends="cosine plda")
    assert rows(folder) == {"cosine", "given_plda"}


def test_a_back_end_of_another_network_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_kaldi_backend(folder / "kaldi")
    kaldiio.save_mat(str(folder / "kaldi/transform.mat"), np.ones((3, 9), np.float32))
    with pytest.raises(ValueError, match=r"from 9 to 3, plda of 3 do not fit x-vectors of 6"):
        run(folder, monkeypatch, "--backend-dir", str(folder / "kaldi"))
