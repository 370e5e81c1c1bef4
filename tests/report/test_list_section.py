"""The section of a trial list: log-likelihood ratios where there is a calibration."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from deep_speaker.metrics import detection_costs
from deep_speaker.report import det_curves, phase_scores
from deep_speaker.report.calibrated_scores import LLR, SCORE, calibrate
from deep_speaker.report.list_section import list_section
from deep_speaker.results.rows import read_results
from support.report_experiments import PHASES, Made, make_reported


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_reported(tmp_path_factory.mktemp("list"))


def test_llrs_are_an_affine_map_of_the_scores() -> None:
    scores = np.array([-1.0, 2.0])
    shown, unit = calibrate(scores, {"scale": 3.0, "offset": 0.5})
    assert (shown.tolist(), unit) == ([-2.5, 6.5], LLR)
    for absent in (None, {}, {"scale": 3.0}):
        shown, unit = calibrate(scores, absent)
        assert (shown.tolist(), unit) == ([-1.0, 2.0], SCORE)


def test_thresholds_and_dots_are_of_the_first_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection_costs, "P_TARGETS", (0.2, 0.1, 0.3))
    assert runpy.run_path(phase_scores.__file__)["BAYES_P_TARGETS"] == (0.2, 0.1)
    assert runpy.run_path(det_curves.__file__)["MARKED_P_TARGET"] == 0.2


def test_the_worst_trials_are_those_of_the_final_phase(made: Made) -> None:
    rows = read_results(made.experiment_dir / "results.json")
    report = list_section(
        "trials", made.data_dir / "trials", made.experiment_dir / "scores", PHASES, rows
    )
    assert report.final is not None
    assert (report.final.phase, report.final.backend, report.final.unit) == (
        "finetuning", "cosine", LLR
    )  # fmt: skip
    lines = (made.experiment_dir / "scores/finetuning.trials.cosine").read_text().splitlines()
    scores = {tuple(line.split()[:2]): float(line.split()[2]) for line in lines}
    targets = {key: score for key, score in scores.items() if key[0][0] == key[1][0]}
    (row,) = [
        row for row in rows
        if (row["phase"], row["backend"], row["trials"], row["subset"])
        == ("finetuning", "cosine", "trials", "all")
    ]  # fmt: skip
    worst = report.final.worst["Targets with the lowest"]
    assert [(each.enroll.id, each.test.id) for each in worst] == sorted(
        targets, key=lambda key: targets[key]
    )[:10]
    calibration = row["calibration"]
    assert worst[0].score == pytest.approx(
        calibration["scale"] * min(targets.values()) + calibration["offset"]
    )
    assert report.final.num_speakers == 6
    assert report.tables.keys() == {"all", "same_sex"}


def test_infinite_scores_are_noted(made: Made, tmp_path: Path) -> None:
    scores = tmp_path / "scores"
    scores.mkdir()
    for phase in ("pretraining", "finetuning"):
        text = (made.experiment_dir / f"scores/{phase}.trials.cosine").read_text()
        (scores / f"{phase}.trials.cosine").write_text(text)
    lines = text.splitlines(keepends=True)
    (scores / "pretraining.trials.cosine").write_text(
        "".join([f"{' '.join(lines[0].split()[:2])} -inf\n", *lines[1:]])
    )
    report = list_section(
        "trials", made.data_dir / "trials", scores, ["pretraining", "finetuning"], []
    )
    (note,) = report.notes
    assert note.startswith("pretraining: 1 ")
    everything = "".join(f"{' '.join(line.split()[:2])} inf\n" for line in lines)
    (scores / "finetuning.trials.cosine").write_text(everything)
    report = list_section(
        "trials", made.data_dir / "trials", scores, ["pretraining", "finetuning"], []
    )
    assert report.histograms is None
    assert report.notes[1].startswith("finetuning: all ")


def test_a_list_for_identification_has_tables_alone(made: Made) -> None:
    rows = read_results(made.experiment_dir / "results.json")
    named = [row | {"trials": "identification"} for row in rows if row["trials"] == "one_plus_99"]
    scores = made.experiment_dir / "scores"
    for path in (made.data_dir / "trials_one_plus_99", None):
        report = list_section("identification", path, scores, PHASES, named)
        assert report.tables
        assert report.det is report.histograms is report.final is None
