"""Damage done to valid files, and a reader that has to take it or refuse it in a documented way."""

import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from hypothesis import strategies as st

DOCUMENTED = (ValueError, OSError)  # what a command turns into one line
LONGEST_S = 20  # of one case, on a busy machine
MOST_EDITS = 4
TOKENS = [
    b"", b"\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\x7f\xff\xff\xff",
    b"\x04\0\0\0\0", b"nan", b"-inf", b"-1", b"0", b"1e400", b"9" * 30, b"9" * 5000, b"1e-3",
    b"../", b"/", b"|", b"touch ran |", b"$(touch ran)", b"`touch ran`", b"~", b"[", b"[" * 2000,
    b"]", b"{", b'{"a":' * 2000, b"}", b"*a", b"&a ", b"!!python/object/apply:os.system [x]",
    b"!!int ", b"\n", b"\n\n", b"\r\n", b"\r", b" ", b"\t", b"\xc2\xa0", b"\xe2\x80\xa8",
    b"\xef\xbb\xbf", b"\xff\xfe", b":", b": ", b",", b"'", b'"', b"\\", b"#", b"null", b"true",
    b"NaN", b"\0B", b"FM ", b"DM ", b"CM ", b"CM2 ", b"CM3 ", b"FV ", b"<F>", b"\x1f\x8b",
    b"cos\nsystem\n", b"\x80\x02", b"target", b"nontarget", b"<script>", b"\x1b[2J",
]  # fmt: skip
Edit = tuple[str, float, bytes, int]
EDITS = st.tuples(
    st.sampled_from(["replace", "insert", "delete", "cut", "repeat", "flip"]),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(TOKENS) | st.binary(max_size=8),
    st.integers(1, 64),
)
# The edits of one case; now and then all of the file is something else.
DAMAGE = st.lists(EDITS, min_size=1, max_size=MOST_EDITS) | st.binary(max_size=200)


class Hang(BaseException):
    """A reader did not come back; of no class that it could expect."""


@dataclass(frozen=True)
class Target:
    """A reader, and valid files for it, by name, any of which may be damaged.

    Attributes:
        read: reads all of a folder that holds such files.
    """

    files: Mapping[str, bytes]
    read: Callable[[Path], object]


def damage(content: bytes, edits: list[Edit] | bytes) -> bytes:
    """Return a content with each of the edits done to it in turn."""
    if isinstance(edits, bytes):
        return edits
    for kind, place, token, width in edits:
        i = int(place * (len(content) + 1))
        before, after = content[:i], content[i:]
        if kind == "replace":
            content = before + token + after[len(token) :]
        elif kind == "insert":
            content = before + token + after
        elif kind == "delete":
            content = before + after[width:]
        elif kind == "cut":
            content = before
        elif kind == "repeat":
            content = before + after[:width] * (width + 1) + after[width:]
        elif after:
            content = before + bytes([after[0] ^ 1 << width % 8]) + after[1:]
    return content


def try_case(target: Target, name: str, edits: list[Edit] | bytes) -> bool:
    """Let a reader read its files with damage to one of them; tell whether it was refused.

    Raises:
        AssertionError: the reader left a file, as a command that ran might.
        Hang: it takes too long.
    """
    with tempfile.TemporaryDirectory(dir=scratch()) as place:
        folder = Path(place)
        for other, content in target.files.items():
            (folder / other).write_bytes(damage(content, edits) if other == name else content)
        with chdir(folder), limited_time():
            try:
                target.read(folder)
                refused = False
            except DOCUMENTED as error:
                assert "\n" not in str(error).strip() or isinstance(error, OSError), error
                refused = True
        left = {path.name for path in folder.rglob("*")} - target.files.keys()
        assert not any("ran" in name for name in left), left
    return refused


def scratch() -> str | None:
    """Return a folder in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@contextmanager
def limited_time() -> Iterator[None]:
    """Raise `Hang` in what takes too long."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang(f"more than {LONGEST_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
