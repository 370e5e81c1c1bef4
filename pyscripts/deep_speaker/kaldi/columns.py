"""Files of as many words in every line, such as trial lists and scores, read in blocks of lines."""

import codecs
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from deep_speaker.kaldi.words import Words

BLOCK_BYTES = 1 << 20  # of lines that are read together: some 30,000 trials
LONGEST_WORD = 1024  # bytes; file systems take 255, and a broken file may be one word
SPACE, LINE_FEED, DELETE = b" \n\x7f"


def iterate_columns(path: Path, form: str) -> Iterator[tuple[int, list[Words]]]:
    """Yield the columns of a file with the same number of words in every line, in blocks of lines.

    A file of any length is read in little memory; a byte order mark is left out.

    Args:
        form: the words of a line, for example `enroll test score`.

    Yields:
        The number of a block's first line, from 1, and its columns.

    Raises:
        ValueError: a line has more or fewer words than `form`, or is not UTF-8.
    """
    count = len(form.split())
    first = 1
    with path.open("rb") as file:
        if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            file.seek(0)
        while block := file.read(BLOCK_BYTES) + file.readline():
            plain = block if is_plain(block) else b""
            columns = split_columns(plain, count)
            if columns is None:
                plain = b"".join(tidy_lines(path, first, block, form))
                columns = split_columns(plain, count)
            assert columns is not None
            yield first, columns
            first += len(columns[0])


def is_plain(block: bytes) -> bool:
    """Tell whether lines hold printed ASCII, spaces and line feeds alone, as most files do."""
    octets = np.frombuffer(block, np.uint8)
    num_controls = np.count_nonzero(octets < SPACE)
    return octets.max() < DELETE and num_controls == block.count(b"\n")


def split_columns(lines: bytes, count: int) -> list[Words] | None:
    """Split lines of `count` words with one space between; None if any line is of another form."""
    octets = np.frombuffer(lines, np.uint8)
    ends = np.flatnonzero((octets == SPACE) | (octets == LINE_FEED))
    if not lines.endswith(b"\n") or len(ends) % count:
        return None
    starts = np.empty_like(ends)
    starts[0] = 0
    np.add(ends[:-1], 1, out=starts[1:])
    lengths = ends - starts
    ended_by = octets[ends].reshape(-1, count)
    is_regular = (ended_by[:, :-1] == SPACE).all() and (ended_by[:, -1] == LINE_FEED).all()
    if not is_regular or lengths.min() == 0 or lengths.max() > LONGEST_WORD:
        return None
    columns = (np.ascontiguousarray(part.reshape(-1, count).T) for part in (starts, lengths))
    words = Words(lines, starts, lengths)
    return [words.beside(*column) for column in zip(*columns, strict=True)]


def tidy_lines(path: Path, first: int, block: bytes, form: str) -> Iterator[bytes]:
    """Yield lines of any white space as `split_columns` takes them.

    Raises:
        ValueError: see `iterate_columns`; it quotes the first bad line.
    """
    try:
        lines = io.StringIO(block.decode(), newline=None).readlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}, line {first} or later: not UTF-8 ({error.reason})") from error
    for number, line in enumerate(lines, first):
        words = [word.encode() for word in line.split()]
        if not _is_form(words, form):
            raise ValueError(f"{path}, line {number}: expected '{form}', got {line!r}")
        yield b" ".join(words) + b"\n"


def _is_form(words: Sequence[bytes], form: str) -> bool:
    longest = max(map(len, words), default=0)
    return len(words) == len(form.split()) and longest <= LONGEST_WORD
