"""Samples second by second, from files and pipes."""

import io
import os
import threading

import numpy as np
import pytest

from deep_speaker.voices.streams import each_second

RATE = 100


def test_each_second_brings_the_last_three() -> None:
    samples = np.arange(5 * RATE + 50, dtype=np.int16) - 200
    found = list(each_second(io.BytesIO(samples.astype("<i2").tobytes()), RATE))
    assert [seconds for seconds, _ in found] == [1, 2, 3, 4, 5]
    assert [len(window) for _, window in found] == [RATE, 2 * RATE, 3 * RATE, 3 * RATE, 3 * RATE]
    assert np.array_equal(found[-1][1], samples[2 * RATE : 5 * RATE])
    assert found[-1][1].dtype == np.float32


def test_a_pipe_may_bring_any_number_of_bytes_at_once() -> None:
    samples = np.arange(2 * RATE, dtype="<i2")
    receiver, sender = os.pipe()

    def send() -> None:
        content = samples.tobytes()
        with os.fdopen(sender, "wb", buffering=0) as file:
            for start in range(0, len(content), 77):
                file.write(content[start : start + 77])

    thread = threading.Thread(target=send)
    thread.start()
    with os.fdopen(receiver, "rb") as file:
        found = list(each_second(file, RATE))
    thread.join()
    assert np.array_equal(found[-1][1], samples)


def test_less_than_a_second_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ended before a second .* send 100 a second"):
        list(each_second(io.BytesIO(bytes(150)), RATE))
