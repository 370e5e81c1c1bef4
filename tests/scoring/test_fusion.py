"""Fusion of systems' scores, by hand and against scikit-learn."""

import sys
from pathlib import Path

import numpy as np
import pytest

import fuse_scores as fuse_scores_command
from deep_speaker.results.computation import compute_rows
from deep_speaker.scoring.calibration import fit_calibration
from deep_speaker.scoring.fusion import fuse_scores
from deep_speaker.trials.lists import Trial, write_trials
from support.tiny_xvectors import make_utt2spk, parse_scores, write_data_dir

UTT2SPK = make_utt2spk("s", 3, 2)
KINDS = [True, True, False, True, False, False]
CALIBRATION = [Trial(f"t{i}", f"t{i + 1}", i % 4 == 0) for i in range(40)]
TRIALS = [Trial(f"s{i}-0", f"s{(i + (not kind)) % 3}-1", kind) for i, kind in enumerate(KINDS[:3])]
TRIALS += [Trial(f"s{i}-1", f"s{(i + 1) % 3}-0", False) for i in range(3)]


def write_scores(path: Path, trials: list[Trial], seed: int) -> None:
    rng = np.random.default_rng(seed)
    lines = [f"{a} {b} {kind + rng.normal(0, 1):.7f}\n" for a, b, kind in trials]
    path.write_text("".join(lines))


@pytest.fixture
def scored(tmp_path: Path) -> list[Path]:
    """Two systems' prefixes, each in its experiment's folder, with their calibration trials."""
    write_data_dir(tmp_path / "test", UTT2SPK)
    write_trials(tmp_path / "test/trials", TRIALS)
    write_trials(tmp_path / "test/trials_some", TRIALS[1:5])
    for number, name in enumerate("ab"):
        folder = tmp_path / name
        write_trials(folder / "calibration_trials", CALIBRATION)
        for i, backend in enumerate(("cosine", "plda")):
            seed = 10 * number + i
            write_scores(folder / f"p.trials.{backend}", TRIALS, seed)
            write_scores(folder / f"p.trials_some.{backend}", TRIALS[1:5], seed + 100)
            write_scores(folder / f"p.calibration_trials.{backend}", CALIBRATION, seed + 200)
    return [tmp_path / "a/p", tmp_path / "b/p"]


def columns(prefixes: list[Path], name: str, backend: str = "cosine") -> np.ndarray:
    parts = [parse_scores(prefix.with_name(f"p.{name}.{backend}")) for prefix in prefixes]
    return np.stack([list(part.values()) for part in parts], axis=1)


@pytest.mark.parametrize("backend", [None, "plda"])
@pytest.mark.parametrize("count", [1, 2])
def test_regression_on_the_calibration_trials_gives_log_likelihood_ratios(
    count: int, backend: str | None, scored: list[Path], tmp_path: Path
) -> None:
    """Of each system's main back end unless another is named; of one system it calibrates."""
    fuse_scores(tmp_path / "test", scored[:count], tmp_path / "out/f", backend=backend)
    is_target = np.array([trial.target for trial in CALIBRATION])
    chosen = backend or "cosine"
    fitted = fit_calibration(columns(scored[:count], "calibration_trials", chosen), is_target, 0.01)
    lists = {"trials": TRIALS, "trials_some": TRIALS[1:5], "calibration_trials": CALIBRATION}
    for name, trials in lists.items():
        found = parse_scores(tmp_path / f"out/f.{name}.fusion")
        assert list(found) == [trial[:2] for trial in trials]
        expected = fitted.llrs(columns(scored[:count], name, chosen))
        assert list(found.values()) == pytest.approx(expected, abs=1e-6)
    assert (tmp_path / "out/calibration_trials").read_text() == (
        tmp_path / "a/calibration_trials"
    ).read_text()
    assert len(list((tmp_path / "out").iterdir())) == 5  # and their record


def test_fused_scores_are_results_of_a_system_that_is_calibrated_already(
    scored: list[Path], tmp_path: Path
) -> None:
    fuse_scores(tmp_path / "test", scored, tmp_path / "out/f")
    rows = compute_rows(tmp_path / "test", tmp_path / "out", ["f"])
    assert [(row["trials"], row["backend"]) for row in rows] == [
        ("trials", "fusion"), ("some", "fusion"),
    ]  # fmt: skip
    for row in rows:
        assert row["calibration"]["scale"] == pytest.approx(1, abs=1e-3)
        assert row["calibration"]["offset"] == pytest.approx(0, abs=1e-3)


def test_the_sum_of_standardised_scores_by_hand(scored: list[Path], tmp_path: Path) -> None:
    """Which needs no calibration trials, and gives none."""
    for prefix in scored:
        (prefix.parent / "calibration_trials").unlink()
    (tmp_path / "test/trials_some").unlink()
    write_trials(tmp_path / "test/trials", [Trial("s0", "s1", True), Trial("s0", "s2", False)])
    (tmp_path / "a/p.trials.cosine").write_text("s0 s1 30\ns0 s2 10\n")  # mean 20, deviation 10
    (tmp_path / "b/p.trials.cosine").write_text("s0 s2 0.5\ns0 s1 0.25\ns0 s0 9\n")
    fuse_scores(tmp_path / "test", [*scored, scored[0]], tmp_path / "out/f", "sum")
    assert (tmp_path / "out/f.trials.fusion").read_text() == "s0 s1 1.0000000\ns0 s2 -1.0000000\n"
    assert [path.name for path in (tmp_path / "out").glob("f.*")] == ["f.trials.fusion"]


def test_a_sum_is_not_calibrated_by_an_earlier_regression(
    scored: list[Path], tmp_path: Path
) -> None:
    fuse_scores(tmp_path / "test", scored, tmp_path / "out/f")
    assert all("cllr" in row for row in compute_rows(tmp_path / "test", tmp_path / "out", ["f"]))
    fuse_scores(tmp_path / "test", scored, tmp_path / "out/f", "sum")
    rows = compute_rows(tmp_path / "test", tmp_path / "out", ["f"])
    assert not any("cllr" in row for row in rows)


@pytest.mark.parametrize("method", ["regression", "sum"])
def test_a_missing_back_end_or_phase_is_named(
    method: str, scored: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"/a/p\.\w+\.lda .* stage 5 "):
        fuse_scores(tmp_path / "test", scored, tmp_path / "out/f", method, "lda")
    (tmp_path / "b/p.trials_some.plda").unlink()
    with pytest.raises(ValueError, match=r"/b/p\.trials_some\.plda .* stage 5 "):
        fuse_scores(tmp_path / "test", scored, tmp_path / "out/f", method, "plda")
    with pytest.raises(ValueError, match=r"/b/q\.\w+\.\* .* stage 5 "):
        fuse_scores(tmp_path / "test", [scored[0], tmp_path / "b/q"], tmp_path / "out/f", "sum")
    (tmp_path / "b/p.trials.cosine").write_text("s0-0 s0-1 1\n")
    with pytest.raises(ValueError, match=r"/b/p\.trials\.cosine: 5 of 6 "):
        fuse_scores(tmp_path / "test", scored, tmp_path / "out/f", method)
    assert not list((tmp_path / "out").glob("f.*"))


def test_systems_that_hold_out_other_speakers_are_refused(
    scored: list[Path], tmp_path: Path
) -> None:
    write_trials(tmp_path / "b/calibration_trials", CALIBRATION[:-1])
    with pytest.raises(
        ValueError, match=r"/b/calibration_trials .*/a/calibration_trials: .*--method sum"
    ):
        fuse_scores(tmp_path / "test", scored, tmp_path / "out/f")
    (tmp_path / "b/calibration_trials").unlink()
    with pytest.raises(ValueError, match=r"/b/calibration_trials .* stage 5 .*--method sum"):
        fuse_scores(tmp_path / "test", scored, tmp_path / "out/f")
    assert not (tmp_path / "out").exists()


def test_command_fuses_scores(
    scored: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [str(tmp_path / name) for name in ("test", "new/f", "a/p", "b/p")]
    monkeypatch.setattr(
        sys, "argv", ["fuse_scores.py", "--method", "sum", "--backend", "plda", *paths]
    )
    fuse_scores_command.main()
    fuse_scores(tmp_path / "test", scored, tmp_path / "out/f", "sum", "plda")
    for name in ("f.trials.fusion", "f.trials_some.fusion"):
        assert (tmp_path / "new" / name).read_text() == (tmp_path / "out" / name).read_text()
