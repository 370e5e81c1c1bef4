"""M4A files of VoxCeleb, converted by a real ffmpeg."""

import logging
import re
import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

import download_voxceleb
from deep_speaker.kaldi.audio import read_info
from support.preparation import run_main
from support.speech import make_speech, snapshot, write_audio


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> None:
    run_main(monkeypatch, download_voxceleb, folder, *words)


@pytest.fixture
def m4a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six M4A files, of 44.1 kHz and two channels, and an ffmpeg on the PATH that reads them."""
    (tmp_path / "bin").mkdir()
    ffmpeg = tmp_path / "bin/ffmpeg"
    ffmpeg.symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    tree = tmp_path / "VoxCeleb"
    for i in range(6):
        path = tree / f"vox2_dev_aac/dev/aac/id0001{i % 2}/2DLq_Kkc1r8/0000{i}.m4a"
        samples = make_speech(i, 0.5, 44100)
        wav = write_audio(tmp_path / "stereo.wav", samples.repeat(2).reshape(-1, 2), 44100)
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([ffmpeg, "-v", "error", "-y", "-i", wav, "-c:a", "aac", path], check=True)
    return tree


def test_m4a_becomes_wav_beside_it_once(
    m4a_tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    sources = sorted(m4a_tree.rglob("*.m4a"))
    run(monkeypatch, m4a_tree, "--convert", "--nj", "2")
    made = sorted(m4a_tree.rglob("*.wav"))
    assert [path.with_suffix(".m4a") for path in made] == sources == sorted(m4a_tree.rglob("*.m4a"))
    for path in made:
        info = read_info(path)
        assert (info.sampling_rate, info.num_channels, info.subtype) == (16000, 1, "PCM_16")
        assert 0.5 <= info.duration < 0.6
    assert re.search(f"{m4a_tree}: 6 files .*, 0 .*, 0 ", caplog.text)

    made[0].write_bytes(b"not made again")
    made[1].unlink()
    run(monkeypatch, m4a_tree, "--convert")
    assert made[0].read_bytes() == b"not made again"
    assert read_info(made[1]).sampling_rate == 16000
    assert re.search(f"{m4a_tree}: 1 files .*, 5 .*, 0 ", caplog.text)
    names = {path.name for path in m4a_tree.rglob("*.*")} - {".lock"}
    assert {Path(name).suffix for name in names} == {".m4a", ".wav"}


def test_broken_m4a_is_listed_and_the_rest_converted(
    m4a_tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = m4a_tree / "vox2_dev_aac/dev/aac/id00010/2DLq_Kkc1r8/00002.m4a"
    whole = path.read_bytes()
    path.write_bytes(b"no sound")
    run(monkeypatch, m4a_tree, "--convert", "--nj", "2")  # one is never too many
    listed = (m4a_tree / "broken_files").read_text().splitlines()
    assert len(listed) == 1
    assert listed[0].startswith(f"{path} ")
    assert len(list(m4a_tree.rglob("*.wav"))) == 5
    assert not list(m4a_tree.rglob("*.partial"))

    other = path.with_name("00000.m4a")
    other.write_bytes(b"")
    other.with_suffix(".wav").unlink()
    with pytest.raises(ValueError, match=r"^2 of 6 files .*/broken_files"):
        run(monkeypatch, m4a_tree, "--convert")
    assert len((m4a_tree / "broken_files").read_text().splitlines()) == 2
    for mended in (path, other):
        mended.write_bytes(whole)
    run(monkeypatch, m4a_tree, "--convert")
    assert not (m4a_tree / "broken_files").exists()


def test_conversion_without_ffmpeg_or_m4a_is_refused(
    m4a_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"/empty: .*\.m4a"):
        run(monkeypatch, tmp_path / "empty", "--convert")
    before = snapshot(m4a_tree)
    (tmp_path / "bin/ffmpeg").unlink()
    with pytest.raises(ValueError, match=r"--convert .*ffmpeg"):
        run(monkeypatch, m4a_tree, "--convert")
    assert snapshot(m4a_tree) == before
