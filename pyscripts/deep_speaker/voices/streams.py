"""Samples as they come, of a microphone or a program, second by second."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

WINDOW_SECONDS = 3  # short enough to follow a change of speakers, long enough to tell them
BYTES = 2  # of a sample


def each_second(stream: BinaryIO, rate: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield, once a second, how many seconds have come, and the last of their samples.

    Args:
        stream: of 16-bit samples, little-endian, one channel.
        rate: in Hz.

    Yields:
        Samples on the scale of 16-bit integers: float32, of up to `WINDOW_SECONDS`,
        shape (num_samples,).

    Raises:
        ValueError: there is not one second.
    """
    window, seconds = np.zeros(0, dtype=np.float32), 0
    while len(content := stream.read(BYTES * rate)) == BYTES * rate:
        samples = np.frombuffer(content, "<i2").astype(np.float32)
        window = np.concatenate([window, samples])[-WINDOW_SECONDS * rate :]
        seconds += 1
        yield seconds, window
    if not seconds:
        raise ValueError(
            f"standard input ended before a second of samples came: send {rate} a second, of 16 "
            "bits, raw and little-endian"
        )
