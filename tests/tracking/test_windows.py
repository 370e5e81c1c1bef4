"""Windows within regions."""

from pathlib import Path

import numpy as np
import pytest

from deep_speaker.kaldi.audio import open_file
from deep_speaker.tracking.regions import Region
from deep_speaker.tracking.windows import WINDOWS_AT_ONCE, Windows, embed_regions
from support.fake_voices import RATE, ToneEmbedder, speak, voice_vector
from support.speech import write_audio


def embed(path: Path, regions: list[Region], embedder: ToneEmbedder) -> Windows:
    with open_file(path) as file:
        return embed_regions(file, regions, embedder)


def test_windows_fill_their_regions(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.wav", np.concatenate([speak(0, 3), speak(1, 3)]))
    windows = embed(path, [Region(0.0, 2.6), Region(3.1, 3.9)], ToneEmbedder())
    # 0 to 1.5, 0.25 to 1.75 ... 1 to 2.5; the other is shorter than a window
    assert windows.regions.tolist() == [0, 0, 0, 0, 0, 1]
    assert windows.starts.tolist() == [0.0, 0.875, 1.125, 1.375, 1.625, 3.1]
    assert windows.ends.tolist() == [0.875, 1.125, 1.375, 1.625, 2.6, 3.9]
    expected = np.concatenate([voice_vector(0)] * 5 + [voice_vector(1)])
    np.testing.assert_allclose(windows.vectors, expected, atol=0.02)


@pytest.mark.parametrize("rate", [RATE, 48000])
def test_long_regions_are_read_in_parts(tmp_path: Path, rate: int) -> None:
    seconds = 36
    path = write_audio(tmp_path / "a.wav", np.zeros(seconds * rate), rate)
    embedder = ToneEmbedder()
    windows = embed(path, [Region(0.0, seconds)], embedder)
    assert len(windows.vectors) == 4 * seconds - 5
    assert embedder.most_samples <= (WINDOWS_AT_ONCE * 0.25 + 1.5) * RATE
