"""Regions of speech, found block by block."""

from pathlib import Path

import numpy as np
import pytest

from deep_speaker.kaldi.audio import open_file, read_samples
from deep_speaker.tracking import regions
from deep_speaker.tracking.regions import find_regions, read_blocks
from deep_speaker.voices.speech import detect_speech, frame_levels
from support.fake_voices import RATE, pause, speak
from support.speech import write_audio


def test_blocks_give_the_frames_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regions, "BLOCK_SECONDS", 1)
    samples = np.concatenate([speak(0, 1.3), pause(0.9), speak(1, 1.1)])
    with open_file(write_audio(tmp_path / "a.wav", samples)) as file:
        blocks = list(read_blocks(file, RATE))
        whole = read_samples(file, RATE)
    assert max(map(len, blocks)) < 1.03 * RATE
    levels = np.concatenate([frame_levels(block, RATE) for block in blocks])
    np.testing.assert_allclose(levels, frame_levels(whole, RATE), atol=1e-5)


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_regions_are_where_somebody_speaks(tmp_path: Path, rate: int) -> None:
    parts = [pause(1), speak(0, 2), pause(0.3), speak(0, 1), pause(0.8), speak(1, 1), pause(0.7)]
    samples = np.concatenate(parts)
    times = np.arange(round(len(samples) * rate / RATE)) / rate
    samples = np.interp(times, np.arange(len(samples)) / RATE, samples)
    with open_file(write_audio(tmp_path / "a.wav", samples, rate)) as file:
        found = find_regions(file, RATE)
    # The frames of 25 ms that touch speech, and a margin of 0.1 s. A syllable ends in 40 ms of
    # silence, and a pause of 0.3 s is bridged.
    np.testing.assert_allclose(found, [(0.9, 4.36), (5.0, 6.16)], atol=0.05)


@pytest.mark.parametrize("samples", [np.zeros(3 * RATE), pause(3), np.zeros(100)])
def test_nobody_speaks_in_silence(tmp_path: Path, samples: np.ndarray) -> None:
    with open_file(write_audio(tmp_path / "a.wav", samples)) as file:
        assert find_regions(file, RATE) == []


def test_a_click_is_no_speech(tmp_path: Path) -> None:
    samples = np.concatenate([pause(2), speak(0, 0.05), pause(2), speak(0, 2), pause(1)])
    assert detect_speech(samples * 32768, RATE)[:250].any()
    with open_file(write_audio(tmp_path / "a.wav", samples)) as file:
        assert len(find_regions(file, RATE)) == 1
