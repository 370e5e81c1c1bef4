"""Bad files and utterances: a few are logged and left out, many stop the stage."""

import logging
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

MAX_BAD_SHARE = 0.05
NUM_LOGGED = 10


def check_bad_items(
    bad: Mapping[str, str] | Mapping[Path, str], total: int, kind: str, remedy: str
) -> None:
    """Log the bad items of a kind (`files`, `utterances`), each with its reason.

    Raises:
        ValueError: more than one of `total`, and more than `MAX_BAD_SHARE`, are bad.
    """
    named = [(_printable(item), reason) for item, reason in islice(bad.items(), NUM_LOGGED)]
    for name, reason in named:
        logging.warning("%s: %s", name, reason)
    if len(bad) > max(1, MAX_BAD_SHARE * total):
        first, reason = named[0]
        raise ValueError(
            f"{len(bad)} of {total} {kind} are bad, more than {MAX_BAD_SHARE:.0%}: {remedy}; first "
            f"{first}: {reason}"
        )
    if bad:
        logging.warning("%d of %d %s are bad and left out", len(bad), total, kind)


def _printable(item: object) -> str:
    """Return a name as UTF-8 can hold it: a file's may be of another encoding."""
    return str(item).encode(errors="backslashreplace").decode()
