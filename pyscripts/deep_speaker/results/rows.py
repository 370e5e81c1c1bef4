"""The rows of results.json, as tables want them: a line per phase and back end."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from deep_speaker.config.stages import Stage, stages_again
from deep_speaker.metrics.detection_costs import P_TARGETS
from deep_speaker.system.files import read_utf8
from deep_speaker.trials.lists import base_list

Row = dict[str, Any]
NAMES = ("phase", "trials", "subset", "backend")
NUMBERS = ("eer_percent", "num_target", "num_nontarget")
COSTS = [f"{p_target:g}" for p_target in P_TARGETS]  # keys of min_dcf and act_dcf
RANK = 5  # of identification, besides the first
CONVENTIONS = (
    "EER: where the miss rate equals the false-alarm rate, by linear interpolation.",
    "minDCF(p), actDCF(p): detection cost at p(target) = p, C_miss = C_fa = 1, divided by that of "
    "the better of accepting all and rejecting all; min at the best threshold, act at Bayes' "
    "threshold ln((1 - p) / p) of log-likelihood ratios, calibrated by held-out speakers.",
    "Cllr: cost of the log-likelihood ratios over all p(target), in bits; 1: no information.",
    "ACC: share of anchors whose positive scores above all their negatives, 99 of other speakers "
    "or as many as there are. Rank-1 (rank-5): share of tests whose own model is the best (of the "
    "five best) of all. Ties are failures.",
    "In brackets the 95 % interval, by resampling the test speakers.",
    "-: there is none, as the sex, a calibration or an interval is not known.",
    "Floors, no trained network: statistics (_no_mean: without the mean, which is mostly channel), "
    "untrained.",
)


class TableLine(NamedTuple):
    """What a line of a table shows of a trial list; rows that there are not are empty."""

    phase: str
    backend: str
    everything: Row
    same_sex: Row
    one_plus_99: Row  # of the list's partner of that protocol


def read_results(path: Path) -> list[Row]:
    """Read results.json.

    Raises:
        ValueError: it is missing, broken, or of a form that is not known here.
    """
    if not path.is_file():
        raise ValueError(Stage.RESULTS.missing(path))
    try:
        rows = json.loads(read_utf8(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error}): {Stage.RESULTS.again}") from error
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"{path}: expected a list of rows: {Stage.RESULTS.again}")
    for number, row in enumerate(rows, 1):
        if not is_row(row):
            raise ValueError(
                f"{path}: row {number} is not of the present form, "
                f"{', '.join([*NAMES, *NUMBERS, 'min_dcf'])}: "
                f"{stages_again(Stage.SCORES, Stage.RESULTS)}"
            )
    return rows


def is_row(row: object) -> bool:
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in NAMES):
        return False
    costs = row.get("min_dcf")
    if not isinstance(costs, dict):
        return False
    numbers = [*map(row.get, NUMBERS), *map(costs.get, COSTS)]
    return all(isinstance(number, int | float) for number in numbers)


def list_names(rows: Sequence[Row]) -> list[str]:
    """The trial lists of rows, each named once with its partner of the 1 + 99 protocol."""
    return list(dict.fromkeys(base_list(row["trials"]) for row in rows))


def table_lines(rows: Sequence[Row], name: str) -> list[TableLine]:
    """A line per phase and back end of a trial list, in the order of the rows."""
    found: dict[tuple[str, str], dict[tuple[bool, str], Row]] = {}
    for row in rows:
        if base_list(row["trials"]) == name:
            key = row["phase"], row["backend"]
            found.setdefault(key, {})[row["trials"] == name, row["subset"]] = row
    kinds = ((True, "all"), (True, "same_sex"), (False, "all"))
    return [TableLine(*key, *(own.get(kind, {}) for kind in kinds)) for key, own in found.items()]


def value_of(row: Mapping[str, Any], *path: str) -> float | None:
    """A figure of a row, such as ("min_dcf", "0.01"); None where it has none."""
    value: Any = row
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, int | float) else None


def interval_of(row: Mapping[str, Any], *path: str) -> tuple[float, float] | None:
    """The 95 % interval of a figure of a row; None where it has none."""
    value: Any = row.get("interval_95")
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return (value[0], value[1]) if isinstance(value, list) and len(value) == 2 else None


def format_number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def format_interval(interval: tuple[float, float] | None, digits: int) -> str:
    """
    >>> format_interval((0.5, 1.25), 2), format_interval(None, 2)
    ('[0.50, 1.25]', '')
    """
    return "" if interval is None else f"[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
