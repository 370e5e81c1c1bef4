"""What a user's files, options or machine can cause, in one line; anything else is a bug."""

import errno
import re
import sys
from collections.abc import Iterator
from enum import Enum
from types import TracebackType

from deep_speaker.system.names import printable

EXPECTED_ERRORS = (ValueError, OSError, MemoryError)


class Lack(Enum):
    """What a machine can lack, each with its name and the remedy."""

    SPACE = "no space left on the disk", "free some, then run the same command again"
    MEMORY = "not enough memory", "free some, take fewer processes (--nj), or smaller batches"
    FILES = (
        "too many open files",
        "raise the limit (ulimit -n 4096), or take less --nj",
    )


NUMBERS = {
    errno.ENOSPC: Lack.SPACE,
    errno.EDQUOT: Lack.SPACE,
    errno.ENOMEM: Lack.MEMORY,
    errno.EMFILE: Lack.FILES,
    errno.ENFILE: Lack.FILES,
}
# As libraries of other languages say it, in errors of any kind.
WORDS = {
    Lack.SPACE: r"No space left on device|Disk quota exceeded",
    Lack.MEMORY: r"(can't|[Cc]annot|[Uu]nable to|[Ff]ailed to) allocate|[Oo]ut of memory|bad_alloc"
    r"|[Nn]ot enough memory|can't start new thread|failed to map segment|pthread_create"
    r"|could not create a (primitive|memory)",  # of torch's oneDNN
    Lack.FILES: r"Too many open files",
}


def find_lack(error: BaseException) -> Lack | None:
    """Return what the machine lacks, if an error or what caused it says so."""
    for each in _chain(error):
        if isinstance(each, MemoryError):
            return Lack.MEMORY
        if isinstance(each, OSError) and each.errno in NUMBERS:
            return NUMBERS[each.errno]
        for lack, words in WORDS.items():
            if re.search(words, str(each)):
                return lack
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_expected(error: BaseException) -> bool:
    """Tell whether a user's files, options or machine can cause an error."""
    return isinstance(error, EXPECTED_ERRORS) or find_lack(error) is not None


def describe_error(error: BaseException) -> str:
    """Return an error as one line."""
    text = printable(" ".join(str(error).split())) or type(error).__name__
    lack = None if isinstance(error, ValueError) else find_lack(error)  # our own words are better
    if lack is None:
        return text
    name, remedy = lack.value
    place = error.filename if isinstance(error, OSError) and error.filename else text
    return f"{place}: {name}: {remedy}" if place != text else f"{name} ({text}): {remedy}"


def tell_lacks(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Tell in one line what the machine lacks for imports; for `sys.excepthook`."""
    if issubclass(kind, Exception) and find_lack(error):
        print(f"error: {describe_error(error)}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
