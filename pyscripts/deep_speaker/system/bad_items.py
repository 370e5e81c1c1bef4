"""Bad files and utterances: a few are logged and left out, many stop the stage."""

import logging
from collections.abc import Mapping
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
    for item, reason in list(bad.items())[:NUM_LOGGED]:
        logging.warning("%s: %s", item, reason)
    if len(bad) > max(1, MAX_BAD_SHARE * total):
        first, reason = next(iter(bad.items()))
        raise ValueError(
            f"{len(bad)} of {total} {kind} are bad, more than {MAX_BAD_SHARE:.0%}: {remedy}; first "
            f"{first}: {reason}"
        )
    if bad:
        logging.warning("%d of %d %s are bad and left out", len(bad), total, kind)
