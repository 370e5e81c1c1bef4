"""Parts of files that look like files of their own, for libraries that read no others."""

import io
from typing import BinaryIO


class Part(io.RawIOBase):
    """A part of an open file, which looks like a file of its own.

    Args:
        file: closed with the part.
        begin, end: the first byte and the one after the last; None: up to the file's end.
        head: bytes to read in place of the first ones.
    """

    def __init__(
        self, file: BinaryIO, begin: int = 0, end: int | None = None, head: bytes = b""
    ) -> None:
        self._file, self._begin, self._head = file, begin, head
        last = file.seek(0, io.SEEK_END)
        self._length = max(0, min(last, last if end is None else end) - begin)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # any writable buffer
        self._file.seek(self._begin + self._position)
        data = self._file.read(max(0, min(len(buffer), self._length - self._position)))
        head = self._head[self._position :][: len(data)]
        buffer[: len(data)] = head + data[len(head) :]
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class Stretched(Part):
    """A file that seems much longer than it is, of which nothing more can be read.

    libmpg123 estimates the length of MP3 without a header for it from the size of the file and of
    its first frames, and libsndfile stops there. The estimate must not be too short. A tag of
    `TAG_BYTES` is looked for at the end.
    """

    STRETCH, TAG_BYTES = 64, 128

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._seeming = self._length * self.STRETCH

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return super().seek(
            offset + (self._seeming - self._length) * (whence == io.SEEK_END), whence
        )

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # any writable buffer
        if self._position < self._seeming - self.TAG_BYTES:
            return super().readinto(buffer)
        count = max(0, min(len(buffer), self._seeming - self._position))
        buffer[:count] = bytes(count)
        self._position += count
        return count
