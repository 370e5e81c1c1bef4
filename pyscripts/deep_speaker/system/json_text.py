"""JSON as our files have it: each key once, numbers of a usual size, mistakes with their line."""

import json
from pathlib import Path
from typing import Any

from deep_speaker.system.files import read_utf8

LARGEST = 1e300  # number that is taken; whole ones may be larger than any float


def read_json(path: Path, remedy: str) -> Any:
    """Return the value that a file of JSON stands for.

    Raises:
        ValueError: see `parse_json`; with the path and the remedy.
    """
    text = read_utf8(path)
    try:
        return parse_json(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}: {remedy}") from error


def parse_json(text: str) -> Any:
    """Return the value that a text of JSON stands for.

    Raises:
        ValueError: it is not JSON, or nested too deeply, or a key comes twice; one line.

    >>> parse_json('{"name": "small", "speakers": [1]}')
    {'name': 'small', 'speakers': [1]}
    """
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} in line {error.lineno}") from error
    except RecursionError as error:
        raise ValueError("not JSON: nested too deeply") from error
    except ValueError as error:  # of a number of thousands of digits, or our own
        raise ValueError(f"not JSON: {str(error).split(':')[0]}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} comes twice")
        found[key] = value
    return found


def are_numbers(values: object, count: int) -> bool:
    """Tell whether a value is a list of so many finite numbers.

    >>> are_numbers([1, 0.5], 2), are_numbers([1, "2"], 2), are_numbers([1, float("nan")], 2)
    (True, False, False)
    """
    return (
        isinstance(values, list)
        and len(values) == count
        and all(
            isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
            for value in values
        )
    )
