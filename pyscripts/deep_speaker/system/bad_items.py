"""Bad files and utterances: a few are logged and left out, many stop the stage."""

import logging
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from deep_speaker.system.names import printable

MAX_BAD_SHARE = 0.05
NUM_LOGGED = 10


def check_bad_items(
    bad: Mapping[str, str] | Mapping[Path, str], total: int, kind: str, remedy: str
) -> None:
    """Log the bad items of a kind (`files`, `utterances`), each with its reason.

    Raises:
        ValueError: more than one of `total`, and more than `MAX_BAD_SHARE`, are bad.
    """
    named = [(printable(str(item)), reason) for item, reason in islice(bad.items(), NUM_LOGGED)]
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
