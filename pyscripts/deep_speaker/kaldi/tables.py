"""Kaldi tables: `key value` lines, sorted and unique by key as bytes (`LC_ALL=C`).

That is the order of Python's strings too: UTF-8 keeps the order of code points.
"""

import codecs
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from deep_speaker.config.stages import missing_table
from deep_speaker.system.files import replacing_file


def iterate_table(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the (key, value) pairs of a table, in its order; the value is the rest of the line.

    A line of the table `text` may be a key alone: nothing was said.

    Raises:
        ValueError: the file is missing (with the stage that makes it), a line has no value, or the
            first begins with a byte order mark, which Kaldi would take for a part of its key.
    """
    if not path.is_file():
        raise ValueError(missing_table(path))
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            yield parse_line(path, number, line)


def parse_line(path: Path, number: int, line: bytes) -> tuple[str, str]:
    """Return key and value of a line of a table, numbered from 1; see `iterate_table`."""
    if number == 1 and line.startswith(codecs.BOM_UTF8):
        raise ValueError(
            f"{path}, line 1: a byte order mark, which Kaldi takes for a part of the first "
            rf"id: remove it with sed -i '1s/^\xEF\xBB\xBF//' {shlex.quote(str(path))}"
        )
    try:
        fields = line.decode().split(maxsplit=1)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}, line {number}: not UTF-8: {line!r}") from error
    if len(fields) == 1 and path.name == "text":
        fields.append("")
    if len(fields) != 2:
        raise ValueError(f"{path}, line {number}: expected 'key value', got {line.decode()!r}")
    return fields[0], fields[1].strip()


def iterate_keys(path: Path) -> Iterator[str]:
    """Yield the keys of a table; see `iterate_table`."""
    return (key for key, _ in iterate_table(path))


def read_table(path: Path) -> dict[str, str]:
    """Read all of a table; see `iterate_table`.

    Raises:
        ValueError: also where a key comes twice.
    """
    table: dict[str, str] = {}
    for number, (key, value) in enumerate(iterate_table(path), 1):
        if key in table:
            raise ValueError(f"{path}, line {number}: {key!r} comes twice: remove one line")
        table[key] = value
    return table


def write_table(path: Path, table: Mapping[str, object]) -> None:
    """Write a table sorted by key."""
    write_rows(path, ((key, table[key]) for key in sorted(table)))


def write_rows(path: Path, rows: Iterable[tuple[str, object]]) -> None:
    """Write a table of rows that come sorted by key; they may come from the table itself."""
    with replacing_file(path) as file:
        file.writelines(f"{key} {value}\n" for key, value in rows)


def read_optional_table(path: Path) -> dict[str, str]:
    """Read a table that may be absent: empty then."""
    return read_table(path) if path.is_file() else {}
