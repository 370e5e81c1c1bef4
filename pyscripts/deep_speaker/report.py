"""Results of an experiment: one row per phase, trial list and subset (stage 6)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deep_speaker.data_dir import read_optional_table, read_table
from deep_speaker.files import replacing_file
from deep_speaker.metrics import (
    C_FALSE_ALARM,
    C_MISS,
    equal_error_rate,
    error_rates,
    identification_accuracy,
    min_dcf,
)
from deep_speaker.scoring import read_scores
from deep_speaker.trials import TRIAL_LISTS, Trial, read_trials

P_TARGETS = (0.01, 0.05, 0.001)
BACKEND = "cosine"

Row = dict[str, Any]


def compute_rows(data_dir: Path, score_dir: Path, phases: Sequence[str]) -> list[Row]:
    """The rows of results.json; same-sex rows where the sex of all speakers is known."""
    rows = []
    for name, file_name in TRIAL_LISTS.items():
        trials = read_trials(data_dir / file_name)
        subsets = {"all": np.ones(len(trials), dtype=bool)}
        scores_of = {
            phase: read_scores(score_dir / f"{phase}.{file_name}.{BACKEND}", trials)
            for phase in dict.fromkeys(phases)
        }
        same_sex = find_same_sex(trials, data_dir)
        if same_sex is not None:
            subsets["same_sex"] = same_sex
        for phase, scores in scores_of.items():
            for subset, chosen in subsets.items():
                is_target = np.array([trial.target for trial in trials])[chosen]
                if subset != "all" and len(set(is_target.tolist())) < 2:
                    continue  # no same-sex targets, or no such nontargets
                row = compute_row(name, trials, scores, chosen)
                rows.append({"phase": phase, "trials": name, "subset": subset} | row)
    return sorted(rows, key=lambda row: phases.index(row["phase"]))


def find_same_sex(trials: Sequence[Trial], data_dir: Path) -> np.ndarray | None:
    """Which trials pair speakers of one sex: bool, shape (trials,)."""
    sexes = read_optional_table(data_dir / "spk2gender")
    utt2spk = read_table(data_dir / "utt2spk")
    if not set(utt2spk.values()) <= set(sexes):
        return None
    sex = {utterance: sexes[speaker] for utterance, speaker in utt2spk.items()} | sexes
    unknown = sorted({key for trial in trials for key in trial[:2]} - sex.keys())
    if unknown:
        raise ValueError(
            f"{data_dir}: trials name {len(unknown)} unknown ids, first {unknown[0]!r}"
        )
    return np.array([sex[trial.enroll] == sex[trial.test] for trial in trials])


def compute_row(name: str, trials: Sequence[Trial], scores: np.ndarray, chosen: np.ndarray) -> Row:
    """The figures of a subset of trials."""
    is_target = np.array([trial.target for trial in trials])[chosen]
    rates = error_rates(scores[chosen], is_target)
    row: Row = {
        "backend": BACKEND,
        "eer_percent": round(100 * equal_error_rate(rates), 4),
        "min_dcf": {f"{p:g}": round(min_dcf(rates, p), 5) for p in P_TARGETS},
        "num_target": int(is_target.sum()),
        "num_nontarget": int((~is_target).sum()),
    }
    if name == "one_plus_99":
        anchors = [trial.enroll for trial, kept in zip(trials, chosen, strict=True) if kept]
        accuracy = identification_accuracy(anchors, scores[chosen], is_target)
        row["identification_accuracy_percent"] = round(100 * accuracy, 4)
    return row


def write_results(path: Path, rows: Sequence[Row]) -> None:
    with replacing_file(path) as file:
        json.dump(rows, file, indent=1)
        file.write("\n")


def format_table(rows: Sequence[Row]) -> str:
    """One line per phase, and below the table the conventions and counts behind it."""
    found = {(row["phase"], row["trials"], row["subset"]): row for row in rows}
    header = ["phase", "EER %", "same-sex EER %", *(f"minDCF({p:g})" for p in P_TARGETS), "ACC %"]
    lines = [header]
    for phase in dict.fromkeys(row["phase"] for row in rows):
        everything = found.get((phase, "trials", "all"), {})
        same_sex = found.get((phase, "trials", "same_sex"), {})
        anchors = found.get((phase, "one_plus_99", "all"), {})
        costs = everything.get("min_dcf", {})
        lines.append(
            [
                phase,
                _cell(everything.get("eer_percent"), 2),
                _cell(same_sex.get("eer_percent"), 2),
                *(_cell(costs.get(f"{p:g}"), 3) for p in P_TARGETS),
                _cell(anchors.get("identification_accuracy_percent"), 2),
            ]
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    table = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    ]
    counts = {(row["trials"], row["subset"]): row for row in rows}
    notes = [
        f"{trials}, {subset}: {row['num_target']} target, {row['num_nontarget']} nontarget trials"
        for (trials, subset), row in counts.items()
    ]
    conventions = (
        f"EER: linear interpolation. minDCF(p): p(target) = p, C_miss = {C_MISS:g}, C_fa = "
        f"{C_FALSE_ALARM:g}, normalised.\n"
        "ACC: share of anchors whose positive scores above all their negatives (1 + 99 protocol).\n"
        "statistics: the floor, no network; _no_mean: without the mean, which is mostly channel."
    )
    return "\n".join([*table, "", *notes, conventions])


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
