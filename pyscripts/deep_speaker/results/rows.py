"""Rows of results.json: a phase, back end, trial list and subset each, with its figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deep_speaker.config.stages import Stage, stages_again
from deep_speaker.metrics.registry import METRIC_CONVENTIONS, main_metric
from deep_speaker.system.json_text import read_json

ResultRow = dict[str, Any]
NAME_KEYS = ("phase", "trials", "subset", "backend")
FIGURE_KEYS = ("num_target", "num_nontarget", *main_metric("verification").keys)
CONVENTIONS = (
    *METRIC_CONVENTIONS,
    "In brackets the 95 % interval, by resampling the test speakers.",
    "-: there is none, as the sex, a calibration or an interval is not known.",
    "Floors, no trained network: statistics (_no_mean: without the mean, which is mostly channel), "
    "untrained.",
)


def read_results(path: Path) -> list[ResultRow]:
    """Read results.json.

    Raises:
        ValueError: it is missing, broken, or of a form that is not known here.
    """
    if not path.is_file():
        raise ValueError(Stage.RESULTS.missing(path))
    rows = read_json(path, Stage.RESULTS.again)
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"{path}: expected a list of rows: {Stage.RESULTS.again}")
    for number, row in enumerate(rows, 1):
        if not is_row(row):
            raise ValueError(
                f"{path}: row {number} is not of the present form, "
                f"{', '.join([*NAME_KEYS, *FIGURE_KEYS])}: "
                f"{stages_again(Stage.SCORES, Stage.RESULTS)}"
            )
    return rows


def is_row(row: object) -> bool:
    """Tell whether a row has its names, counts and main figure; further metrics may be newer."""
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in NAME_KEYS):
        return False
    return all(value_of(row, key) is not None for key in FIGURE_KEYS)


def nest(values: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """Return values by keys within keys, as rows hold them.

    >>> nest({("cllr",): 0.5, ("min_dcf", "0.01"): 0.2, ("min_dcf", "0.05"): 0.1})
    {'cllr': 0.5, 'min_dcf': {'0.01': 0.2, '0.05': 0.1}}
    """
    nested: dict[str, Any] = {}
    for (*outer, last), value in values.items():
        place = nested
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = value
    return nested


def value_of(row: Mapping[str, Any], *keys: str) -> float | None:
    """Return a figure of a row, such as ("min_dcf", "0.01"); None where it has none."""
    value: Any = row
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, int | float) else None


def interval_of(row: Mapping[str, Any], *keys: str) -> tuple[float, float] | None:
    """Return the 95 % interval of a figure of a row; None where it has none."""
    value: Any = row.get("interval_95")
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return (value[0], value[1]) if isinstance(value, list) and len(value) == 2 else None
