"""Stage 0 for VoxCeleb as M4A, with a real ffmpeg and without one."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest

import prepare_voxceleb
from deep_speaker.kaldi.tables import read_table
from support.speech import make_speech
from support.voxceleb_trees import VOX2_DEV, ids_of, prepare, utterances_of, write_tree
from voxceleb import trees


@pytest.fixture
def without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PATH", str(tmp_path))
    yield
    trees.require_ffmpeg.cache_clear()


@pytest.fixture
def ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a real ffmpeg on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return str(folder / "ffmpeg")


def make_m4a(ffmpeg: str, folder: Path) -> None:
    """Turn all WAV files below a folder into M4A."""
    for path in folder.rglob("*.wav"):
        target = path.with_suffix(".m4a")
        subprocess.run([ffmpeg, "-v", "error", "-i", path, "-c:a", "aac", target], check=True)
        path.unlink()


def test_m4a_stands_as_a_command_of_ffmpeg(
    both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ffmpeg: str
) -> None:
    folder = both / "vox2_dev_aac/dev/aac"
    durations = {
        path.stem: len(make_speech(0, 0.25 + 0.01 * i)) / 16000
        for i, path in enumerate(sorted(folder.rglob("*.wav")))
    }
    assert len(durations) == 3
    make_m4a(ffmpeg, folder)
    write_tree(folder, {"id00012": ["21Uxsk56VDQ/00001"]})  # this one is converted
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", both)
    assert utterances_of(tmp_path / "d/train") == ids_of(VOX2_DEV)
    wav_scp = read_table(tmp_path / "d/train/wav.scp")
    assert wav_scp["id00012-21Uxsk56VDQ-00001"] == f"{folder}/id00012/21Uxsk56VDQ/00001.wav"
    path = folder / "id00015/0fijmz4vTVU/00002.m4a"
    entry = f"ffmpeg -v error -i {path} -f wav -acodec pcm_s16le - |"
    assert wav_scp["id00015-0fijmz4vTVU-00002"] == entry
    found = float(read_table(tmp_path / "d/train/utt2dur")["id00015-0fijmz4vTVU-00002"])
    assert 0.25 <= found <= 0.45  # AAC pads to whole frames of 64 ms

    train_list = tmp_path / "train_list.txt"
    train_list.write_text("id00015 id00015/0fijmz4vTVU/00002.wav\n")
    words = ["--train-dir", folder, "--test-dir", both, "--train-list", train_list]
    prepare(monkeypatch, tmp_path / "d", *words)
    assert read_table(tmp_path / "d/train/wav.scp") == {"id00015-0fijmz4vTVU-00002": entry}


@pytest.mark.usefixtures("without_ffmpeg")
def test_m4a_without_ffmpeg_is_refused_before_anything_is_read(
    both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (both / "vox2_dev_aac").rglob("*.wav"):
        path.rename(path.with_suffix(".m4a"))
    monkeypatch.setattr(prepare_voxceleb, "make_utterances", lambda *_: pytest.fail("too late"))
    with pytest.raises(ValueError, match=r"\bffmpeg\b.*download_voxceleb\.py --convert"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", both)
    assert not (tmp_path / "d").exists()
