"""Audio files: the samples Kaldi would see, and the entries by which it would see them."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from deep_speaker.audio import AudioInfo, file_of_entry, load_audio, read_info, wav_entry
from speech import make_speech, write_audio

NAMES = ["plain.flac", "two words.flac", 'it\'s $(touch x) `y` "z" & ; |.flac', "é李 -a.flac"]


def sine(frequency: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)).astype(
        np.float32
    )


def amplitude(samples: np.ndarray, frequency: float, rate: int) -> float:
    """Of a frequency, away from the ends."""
    inner = samples[len(samples) // 4 : -len(samples) // 4]
    times = np.arange(len(inner)) / rate
    window = np.hanning(len(inner))
    return float(2 * abs((inner * window) @ np.exp(-2j * np.pi * frequency * times)) / window.sum())


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_samples_are_the_16_bit_numbers_of_the_file(tmp_path: Path, suffix: str) -> None:
    integers = np.array([0, 1, -1, 12345, 32767, -32768] * 5, dtype=np.int16)
    path = write_audio(tmp_path / f"a.{suffix}", integers)
    samples, info = load_audio(wav_entry(path, read_info(path)), 16000)
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, integers)
    assert info == read_info(path)
    assert (info.sampling_rate, info.num_samples, info.num_channels) == (16000, 30, 1)
    assert info.duration == 30 / 16000


def test_the_first_channel_is_taken(tmp_path: Path) -> None:
    left, right = make_speech(1), make_speech(2)
    path = write_audio(tmp_path / "stereo.wav", np.stack([left, right], axis=1))
    samples, info = load_audio(str(path), 16000)
    alone, _ = load_audio(str(write_audio(tmp_path / "left.wav", left)), 16000)
    np.testing.assert_array_equal(samples, alone)
    assert info.num_channels == 2


def test_what_kaldi_reads_itself_stands_as_a_path_and_all_else_as_a_command(
    tmp_path: Path,
) -> None:
    samples = make_speech(0)
    for name, subtype, program in [
        ("a.wav", "PCM_16", ""),
        ("a.flac", "PCM_16", "flac"),
        ("b.flac", "PCM_24", "ffmpeg"),
        ("b.wav", "PCM_24", "ffmpeg"),
        ("c.wav", "FLOAT", "ffmpeg"),
        ("d.wav", "PCM_U8", "ffmpeg"),
        ("e.ogg", "VORBIS", "ffmpeg"),
        ("f.aiff", "PCM_16", "ffmpeg"),
    ]:
        path = write_audio(tmp_path / name, samples, subtype=subtype)
        entry = wav_entry(path, read_info(path))
        assert entry == str(path) if not program else entry.startswith(f"{program} -")
        assert entry.endswith("|") == bool(program)
        loaded, _ = load_audio(entry, 16000)
        assert np.corrcoef(loaded, samples)[0, 1] > 0.95
        assert np.std(loaded) == pytest.approx(32768 * np.std(samples), rel=0.05)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("info", [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")])
def test_an_entry_leads_back_to_its_file_for_us_and_for_a_shell(
    tmp_path: Path, name: str, info: tuple[str, str]
) -> None:
    path = tmp_path / name
    entry = wav_entry(path, AudioInfo(16000, 1, 1, *info))
    if info[0] == "WAV":
        name = name.replace("flac", "wav")
    assert file_of_entry(entry) == path
    if entry.endswith("|"):
        program = entry.split()[0]
        bin_folder = tmp_path / "bin"
        bin_folder.mkdir()
        (bin_folder / program).write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        (bin_folder / program).chmod(0o755)
        # Kaldi hands what stands before the bar to popen, which is this.
        run = subprocess.run(
            ["/bin/sh", "-c", entry.removesuffix("|")],
            env={"PATH": f"{bin_folder}:{os.environ['PATH']}"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert str(path) in run.stdout.splitlines()
        assert not run.stderr
        assert [item.name for item in tmp_path.iterdir()] == ["bin"]


@pytest.mark.parametrize(
    "entry",
    [
        "sph2pipe -f wav -p a.sph |",
        "flac -c -d -s a.flac; touch hacked |",
        "flac -c -d -s a.flac | sox - -t wav - |",
        "cat a.wav |",
        "flac -c -d |",
        "|",
    ],
)
def test_another_command_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"unknown command in wav\.scp"):
        load_audio(entry, 16000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 96000])
def test_resampling_keeps_tones_and_length_and_adds_none(tmp_path: Path, rate: int) -> None:
    path = write_audio(tmp_path / "tone.wav", sine(1000, rate), rate)
    samples, info = load_audio(str(path), 16000)
    assert info.sampling_rate == rate
    assert abs(len(samples) - 8000) <= 1
    assert amplitude(samples, 1000, 16000) == pytest.approx(16384, rel=0.01)
    others = [amplitude(samples, frequency, 16000) for frequency in range(2000, 7900, 100)]
    assert max(others) < 16384 * 0.003  # -50 dB: neither alias nor image


def test_what_is_above_half_the_new_rate_vanishes(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "ultrasound.wav", sine(12000, 96000), 96000)
    samples, _ = load_audio(str(path), 16000)
    assert np.abs(samples[1000:-1000]).max() < 16384 * 0.003


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "empty file"), (b"no audio at all\n" * 100, "unreadable: ")]
)
def test_bad_files_are_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        read_info(path)
    with pytest.raises(ValueError, match="unreadable: "):
        load_audio(str(path), 16000)


def test_a_file_without_samples_or_none_at_all_is_refused(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "nothing.wav", np.zeros(0, dtype=np.float32))
    for read in (read_info, lambda path: load_audio(str(path), 16000)):
        with pytest.raises(ValueError, match="no samples"):
            read(path)
    with pytest.raises(ValueError, match="unreadable: "):
        load_audio(str(tmp_path / "missing.wav"), 16000)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_file_cut_short_gives_its_whole_part_or_an_error(tmp_path: Path, suffix: str) -> None:
    path = write_audio(tmp_path / f"a.{suffix}", make_speech(0, 2))
    whole, _ = load_audio(wav_entry(path, read_info(path)), 16000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    try:
        info = read_info(path)
        part, _ = load_audio(wav_entry(path, info), 16000)
    except ValueError as error:
        assert "unreadable" in str(error)
    else:
        np.testing.assert_array_equal(part, whole[: len(part)])
        assert len(part) == info.num_samples  # otherwise utt2dur claims what is not there


def test_soundfile_knows_every_suffix_searched_for() -> None:
    from deep_speaker.audio import AUDIO_SUFFIXES

    known = {name.lower() for name in soundfile.available_formats()} | {"opus", "aif", "sph"}
    assert {suffix.removeprefix(".") for suffix in AUDIO_SUFFIXES} <= known
