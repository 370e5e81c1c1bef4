"""Rows of results, made up."""

from typing import Any


def make_row(**changes: Any) -> dict[str, Any]:
    """Make a row of all trials by one back end, without calibration or intervals."""
    return {
        "phase": "pretraining", "trials": "trials", "subset": "all", "backend": "cosine",
        "num_target": 10, "num_nontarget": 90, "eer_percent": 2.0,
        "min_dcf": {"0.01": 0.3, "0.05": 0.2, "0.001": 0.5},
    } | changes  # fmt: skip
