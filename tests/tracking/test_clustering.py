"""Voices that nobody enrolled."""

import numpy as np
import pytest

from deep_speaker.tracking import clustering
from deep_speaker.tracking.clustering import find_voices
from deep_speaker.tracking.windows import Windows
from support.fake_voices import THRESHOLD, tone_model, voice_vector


def make_windows(voices: list[int]) -> Windows:
    vectors = np.concatenate([voice_vector(voice) for voice in voices])
    starts = 0.25 * np.arange(len(voices))
    return Windows(np.zeros(len(voices), dtype=int), starts, starts + 0.25, vectors)


def find(voices: list[int], rows: np.ndarray | None = None) -> list[list[float]]:
    windows = make_windows(voices)
    chosen = np.arange(len(voices)) if rows is None else rows
    found = find_voices(windows, chosen, tone_model(), THRESHOLD)
    return sorted(vector.tolist() for vector in found)


def test_each_voice_is_found_once() -> None:
    assert find([0] * 10 + [1] * 20 + [0] * 10) == [[0, 1, 0, 0], [1, 0, 0, 0]]


def test_a_short_one_is_no_voice() -> None:
    assert find([0] * 20 + [2] * 15) == [[1, 0, 0, 0]]
    assert find([0] * 15) == []
    assert find([0] * 15, np.array([], dtype=int)) == []


def test_only_the_given_windows_count() -> None:
    assert find([0] * 20 + [1] * 20, np.arange(20, 40)) == [[0, 1, 0, 0]]


def test_a_long_recording_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "MOST_PIECES", 8)
    assert find([0] * 200 + [1] * 200) == [[0, 1, 0, 0], [1, 0, 0, 0]]
