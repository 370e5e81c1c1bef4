"""Checks of any Kaldi table: UTF-8, whole lines, and the expected keys, sorted and unique.

Tables are read in blocks or line by line, so that one of any size is checked in little memory.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

from deep_speaker.config.stages import MAKERS, missing_table
from deep_speaker.kaldi.columns import BLOCK_BYTES
from deep_speaker.kaldi.tables import iterate_table
from deep_speaker.kaldi.utterances import ODD

TableRow = tuple[int, str, str]  # number of the line, from 1; key; the rest of the line
# Paths may hold odd characters: of scp files only the keys are searched for these.
_ODD_ANYWHERE = re.compile(f"[{ODD}]")
_ODD_IN_KEY = re.compile(rf"^[^ \t\n]*?[{ODD}]", re.MULTILINE)


def line_error(path: Path, number: int, message: str) -> ValueError:
    """Return an error that begins with file and line."""
    return ValueError(f"{path}, line {number}: {message}")


def check_characters(path: Path) -> None:
    """Refuse other encodings than UTF-8, CRLF, odd characters, and an end without a newline."""
    odd = _ODD_IN_KEY if path.suffix == ".scp" else _ODD_ANYWHERE
    first = 1
    with path.open("rb") as file:
        while lines := file.readlines(BLOCK_BYTES):
            _check_block(path, first, b"".join(lines), odd)
            first += len(lines)


def _check_block(path: Path, first: int, block: bytes, odd: re.Pattern[str]) -> None:
    def error(end: int, message: str) -> ValueError:
        return line_error(path, first + block.count(b"\n", 0, end), message)

    if b"\r" in block:
        raise error(block.index(b"\r"), "a carriage return: convert the file with dos2unix")
    if not block.endswith(b"\n"):
        raise error(len(block), "no newline at its end: the file is cut off, or add one (echo >>)")
    try:
        text = block.decode()
    except UnicodeDecodeError as wrong:
        raise error(wrong.start, f"not UTF-8 ({wrong.reason}): convert it with iconv") from wrong
    if found := odd.search(text):
        character = found.group()[-1]
        end = len(text[: found.end() - 1].encode())
        raise error(end, f"the character {character!r}: only spaces and tabs separate: remove it")


def iterate_rows(path: Path) -> Iterator[TableRow]:
    """Yield the rows of a table in its order, once the characters of all of it are checked.

    Raises:
        ValueError: as `iterate_table`; or the table is empty or has wrong characters.
    """
    if not path.is_file():
        raise ValueError(missing_table(path))
    if not path.stat().st_size:
        raise ValueError(f"{path}: empty: {tell_remedy(path)}")
    check_characters(path)
    for number, (key, value) in enumerate(iterate_table(path), 1):
        yield number, key, value


def tell_remedy(path: Path) -> str:
    """Tell what to do about a table that cannot be mended by hand."""
    return MAKERS[path.name].again if path.name in MAKERS else "make it anew"


def iterate_sorted(path: Path) -> Iterator[TableRow]:
    """Yield the rows of a table, and check that their keys are sorted and unique."""
    before = ""
    for number, key, value in iterate_rows(path):
        if key <= before:
            if key == before:
                raise line_error(path, number, f"{key!r} comes twice: remove one line")
            wrong = f"{key!r} comes after {before!r}: sort it with LC_ALL=C sort"
            raise line_error(path, number, wrong)
        before = key
        yield number, key, value


def check_table(
    path: Path,
    keys: Iterable[str],
    keys_of: str,
    accept: Callable[[str], bool] | None = None,
    form: str = "",
) -> None:
    """Check the keys of a table, in order, and its values.

    Args:
        keys: the expected ones, of the file `keys_of`.
        accept: tells whether a value has the expected `form`; by default any has.
    """
    number = 0
    found = iterate_sorted(path)
    for row, key in zip_longest(found, keys):
        if row is None or row[1] != key:
            raise _other_keys(path, number + 1, row, key, keys_of, found)
        number = row[0]
        if accept and not accept(row[2]):
            raise line_error(path, number, f"{key!r} has {row[2]!r}, not {form}: correct it")


def _other_keys(
    path: Path,
    number: int,
    row: TableRow | None,
    key: str | None,
    keys_of: str,
    rest: Iterable[TableRow],
) -> ValueError:
    words = [word for word in (row and row[1], key) if word is not None]
    for _ in rest:  # raises another error where the table is not sorted, which is the cause then
        pass
    lacks = keys_of if row and min(words) == row[1] else path.name
    remedy = f"remove the lines that not all tables have, or {tell_remedy(path)}"
    return line_error(
        path,
        number,
        f"its keys differ from those of {keys_of}, first {min(words)!r}, which {lacks} lacks: "
        f"{remedy} (no id may hold spaces)",
    )
