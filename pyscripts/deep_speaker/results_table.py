"""Results of an experiment: one row per phase, trial list and subset (stage 6)."""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from deep_speaker.files import replacing_file
from deep_speaker.metrics import (
    C_FALSE_ALARM,
    C_MISS,
    equal_error_rate,
    error_rates,
    identification_accuracy,
    min_dcf,
)
from deep_speaker.scoring import find_scores, read_scores
from deep_speaker.tables import read_optional_table, read_table
from deep_speaker.trials import (
    Trial,
    base_list,
    find_trial_lists,
    is_identification,
    read_models,
    read_trials,
)

P_TARGETS = (0.01, 0.05, 0.001)
RANK = 5  # of identification, besides the first
# What a line of a table shows: rows of the list itself or of its partner, and their subset.
TABLE_ROWS = ((True, "all"), (True, "same_sex"), (False, "all"))

Row = dict[str, Any]


def compute_rows(data_dir: Path, score_dir: Path, phases: Sequence[str]) -> list[Row]:
    """The rows of results.json; same-sex rows where the sex of all speakers of a list is known."""
    rows = []
    for name, trial_list in find_trial_lists(data_dir).items():
        trials = read_trials(trial_list)
        subsets = {"all": np.ones(len(trials), dtype=bool)}
        scored = {}
        for phase in dict.fromkeys(phases):
            backend, path = find_scores(score_dir / phase, trial_list)
            scored[phase] = backend, read_scores(path, trials)
        same_sex = find_same_sex(trials, data_dir)
        if same_sex is not None:
            subsets["same_sex"] = same_sex
        for phase, (backend, scores) in scored.items():
            for subset, chosen in subsets.items():
                is_target = np.array([trial.target for trial in trials])[chosen]
                if subset != "all" and len(set(is_target.tolist())) < 2:
                    continue  # no same-sex targets, or no such nontargets
                try:
                    row = compute_row(name, trials, scores, chosen)
                except ValueError as error:
                    raise ValueError(f"{trial_list}, {phase}: {error}") from error
                names = {"phase": phase, "trials": name, "subset": subset, "backend": backend}
                rows.append(names | row)
    return sorted(rows, key=lambda row: phases.index(row["phase"]))


def find_same_sex(trials: Sequence[Trial], data_dir: Path) -> np.ndarray | None:
    """Which trials pair speakers of one sex: bool, shape (trials,); None where one is not known.

    The speaker of a model is that of its first utterance.
    """
    speakers = read_table(data_dir / "utt2spk")
    for model, utterances in read_models(data_dir).items():
        speakers.setdefault(model, speakers.get(utterances[0], ""))
    sexes = read_optional_table(data_dir / "spk2gender")
    sex = {key: sexes.get(speakers.get(key, key)) for trial in trials for key in trial[:2]}
    if None in sex.values():
        return None
    return np.array([sex[trial.enroll] == sex[trial.test] for trial in trials])


def compute_row(name: str, trials: Sequence[Trial], scores: np.ndarray, chosen: np.ndarray) -> Row:
    """The figures of a subset of trials."""
    is_target = np.array([trial.target for trial in trials])[chosen]
    rates = error_rates(scores[chosen], is_target)
    row: Row = {
        "eer_percent": round(100 * equal_error_rate(rates), 4),
        "min_dcf": {f"{p:g}": round(min_dcf(rates, p), 5) for p in P_TARGETS},
        "num_target": int(is_target.sum()),
        "num_nontarget": int((~is_target).sum()),
    }
    if is_identification(name) or base_list(name) != name:  # that is, of the 1 + 99 protocol
        side = "test" if is_identification(name) else "enroll"
        anchors = [getattr(trial, side) for trial in compress(trials, chosen.tolist())]
        accuracy = identification_accuracy(anchors, scores[chosen], is_target)
        row["identification_accuracy_percent"] = round(100 * accuracy, 4)
        if is_identification(name) and min(Counter(anchors).values()) > RANK:
            accuracy = identification_accuracy(anchors, scores[chosen], is_target, RANK)
            row[f"rank{RANK}_accuracy_percent"] = round(100 * accuracy, 4)
    return row


def write_results(path: Path, rows: Sequence[Row]) -> None:
    with replacing_file(path) as file:
        json.dump(rows, file, indent=1)
        file.write("\n")


def format_table(rows: Sequence[Row]) -> str:
    """A table per trial list, one line per phase; below, the conventions and counts behind them.

    A list and its partner of the 1 + 99 protocol share a table.
    """
    lists = list(dict.fromkeys(base_list(row["trials"]) for row in rows))
    tables = []
    for name in lists:
        lines = _table_lines(name, [row for row in rows if base_list(row["trials"]) == name])
        tables += [*([name] if len(lists) > 1 else []), *lines, ""]
    counts = {(row["trials"], row["subset"]): row for row in rows}
    notes = [
        f"{trials}, {subset}: {row['num_target']} target, {row['num_nontarget']} nontarget trials"
        for (trials, subset), row in counts.items()
    ]
    conventions = [
        f"EER: linear interpolation. minDCF(p): p(target) = p, C_miss = {C_MISS:g}, C_fa = "
        f"{C_FALSE_ALARM:g}, normalised.",
        "ACC: share of anchors whose positive scores above all their negatives, 99 of other "
        "speakers or as many as there are.",
        "statistics: the floor, no network; _no_mean: without the mean, which is mostly channel.",
    ]
    if not any(row["subset"] == "same_sex" for row in rows):
        conventions.append("-: the sex of some speakers is not known.")
    if any(map(is_identification, lists)):
        conventions.insert(
            2, f"rank-1 (rank-{RANK}): share of tests whose own model is the best (of the {RANK} "
            "best) of all models; a tie is none."
        )  # fmt: skip
    return "\n".join([*tables, *notes, *conventions])


def _table_lines(name: str, rows: Sequence[Row]) -> list[str]:
    """The header and a line per phase, from the rows of a list and of its 1 + 99 partner."""
    cells = _identification_cells if is_identification(name) else _verification_cells
    lines: list[list[str]] = []
    for phase in dict.fromkeys(row["phase"] for row in rows):
        found = {
            (row["trials"] == name, row["subset"]): row for row in rows if row["phase"] == phase
        }
        line = {"phase": phase} | cells(*(found.get(key, {}) for key in TABLE_ROWS))
        lines += [list(line.values())] if lines else [list(line), list(line.values())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    ]


def _verification_cells(everything: Row, same_sex: Row, one_plus_99: Row) -> dict[str, str]:
    costs = everything.get("min_dcf", {})
    return {
        "EER %": _cell(everything.get("eer_percent"), 2),
        "same-sex EER %": _cell(same_sex.get("eer_percent"), 2),
        **{f"minDCF({p:g})": _cell(costs.get(f"{p:g}"), 3) for p in P_TARGETS},
        "ACC %": _cell(one_plus_99.get("identification_accuracy_percent"), 2),
    }


def _identification_cells(everything: Row, same_sex: Row, _: Row) -> dict[str, str]:
    return {
        "rank-1 %": _cell(everything.get("identification_accuracy_percent"), 2),
        f"rank-{RANK} %": _cell(everything.get(f"rank{RANK}_accuracy_percent"), 2),
        "same-sex rank-1 %": _cell(same_sex.get("identification_accuracy_percent"), 2),
    }


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
