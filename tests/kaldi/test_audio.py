"""Audio files and commands: the headers and samples that Kaldi would see."""

import io
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from deep_speaker.kaldi.audio import load_audio, read_entry_info, read_info, run_command
from deep_speaker.kaldi.wav_entries import wav_entry
from support.speech import RATE, make_speech, write_audio


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


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """A second of noise, both channels, of which the second is twice as loud."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    return write_audio(tmp_path / "it's a.wav", np.stack([noise, 2 * noise], axis=1))


def samples_of(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="int16", always_2d=True)[0][:, 0].astype(np.float32)


@pytest.mark.parametrize("command", ["cat {}", "cat < {}", 'X={}; cat < /dev/null; cat "$X"'])
def test_any_command_is_run_by_a_shell(wav: Path, command: str) -> None:
    entry = command.format(shlex.quote(str(wav))) + " |"
    samples, info = load_audio(entry, RATE)
    np.testing.assert_array_equal(samples, samples_of(wav))
    assert info == read_entry_info(entry) == read_info(wav)
    assert (info.num_samples, info.num_channels) == (RATE, 2)


def test_a_command_gets_no_input_and_its_chatter_is_dropped(
    wav: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    samples, _ = load_audio(f"cat - {shlex.quote(str(wav))}; echo done >&2 |", RATE)
    np.testing.assert_array_equal(samples, samples_of(wav))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("sph3pipe -f wav a.sph", "^sph3pipe: "),
        ("sph3pipe -f wav a.sph | cat", "^sph3pipe: "),
        ("/nowhere/sph2pipe a.sph", r"^'/nowhere/sph2pipe a\.sph' .*No such file"),
        ("cat nowhere.wav", "^'cat nowhere.wav' .*: cat: nowhere.wav: No such file"),
        ("echo one >&2; echo two >&2; exit 3", "^'echo one .*: two$"),
        ("exit 3", r"^'exit 3' .*\b3$"),
        ("true", "^no samples: 'true'"),
        ("echo no audio", "unreadable"),
        ("cat 'a", '^"cat \'a" '),
    ],
)
def test_a_failing_command_is_one_line_with_its_reason(command: str, reason: str) -> None:
    for read in (read_entry_info, lambda entry: load_audio(entry, RATE)):
        with pytest.raises(ValueError, match=reason) as error:
            read(f"{command} |")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_wav_of_unknown_length_is_read_to_its_end(wav: Path, size: int) -> None:
    """As sox and ffmpeg write it to a pipe."""
    content = bytearray(wav.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = size.to_bytes(4, "little")
    content[4:8] = (size and min(size + 36, 0xFFFFFFFF)).to_bytes(4, "little")
    samples = samples_of(wav)
    wav.write_bytes(content)
    entry = f"cat {shlex.quote(str(wav))} |"
    assert read_entry_info(entry).num_samples == RATE
    np.testing.assert_array_equal(load_audio(entry, RATE)[0], samples)


@pytest.fixture
def ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ffmpeg on the PATH, which a bare machine lacks."""
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")


@pytest.mark.usefixtures("ffmpeg")
def test_what_libsndfile_cannot_read_is_decoded_by_ffmpeg(wav: Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-i", wav, wav.with_suffix(".m4a")], check=True)
    original = samples_of(wav)
    path = wav.with_suffix(".m4a")
    info = read_info(path)
    assert (info.sampling_rate, info.num_channels) == (RATE, 2)
    assert abs(info.num_samples - RATE) < 2048  # whole AAC frames
    entry = wav_entry(path, info)
    assert entry.startswith("ffmpeg -v error -i ")
    samples, found = load_audio(entry, RATE)
    assert found == info
    assert np.corrcoef(samples[:RATE], original[: len(samples)])[0, 1] > 0.9
    # A pipe's header tells no length; the samples are those of a file.
    streamed, _ = load_audio(f"ffmpeg -v error -i {shlex.quote(str(wav))} -f wav - |", RATE)
    np.testing.assert_array_equal(streamed, original)
    path.write_bytes(b"no audio")
    with pytest.raises(ValueError, match=r"^'ffmpeg .*Invalid data"):
        read_info(path)


@pytest.mark.usefixtures("ffmpeg")
@pytest.mark.parametrize("form", ["wav", "flac", "mp3", "m4a"])
def test_a_channel_s_entry_prints_it_to_kaldi_as_16_bit_mono(wav: Path, form: str) -> None:
    """What ffmpeg prints, by a shell, is what is decoded here without one."""
    path = wav.with_name(f"call.{form}")
    subprocess.run(["ffmpeg", "-v", "error", "-i", wav, path], check=True)
    info = read_info(path)
    first, second = (wav_entry(path, info, channel) for channel in (0, 1))
    printed = run_command(second)
    with soundfile.SoundFile(io.BytesIO(printed)) as file:
        assert (file.channels, file.subtype, file.format) == (1, "PCM_16", "WAV")
        expected = file.read(dtype="float32") * 32768
    samples, found = load_audio(second, RATE)
    assert found == info == read_entry_info(second)
    assert len(samples) == len(expected) == info.num_samples
    np.testing.assert_allclose(samples, expected, atol=1)
    assert np.abs(samples - load_audio(first, RATE)[0]).max() > 1000


def test_a_channel_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.wav", make_speech(0))
    with pytest.raises(ValueError, match=r"^no channel 3: it has 1$"):
        load_audio(wav_entry(path, read_info(path), 2), RATE)


def test_without_ffmpeg_its_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.M4A").write_bytes(b"something")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/bash").symlink_to(shutil.which("bash") or "")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    with pytest.raises(ValueError, match=r"^ffmpeg: "):
        read_info(tmp_path / "a.M4A")


@pytest.mark.parametrize("form", ["wav", "flac", "command"])
def test_a_segment_holds_the_samples_of_extract_segments(tmp_path: Path, form: str) -> None:
    """From int(start * rate) up to int(end * rate), an end up to 0.5 s past it is cut."""
    path = write_audio(tmp_path / f"a.{form.replace('command', 'wav')}", make_speech(0, 1.0))
    entry = f"cat {path} |" if form == "command" else wav_entry(path, read_info(path))
    whole, info = load_audio(entry, RATE)
    for start, end, first, last in (
        (0.0, None, 0, 16000),
        (0.25, None, 4000, 16000),
        (0.25, 0.5, 4000, 8000),
        (0.10009, 0.20009, 1601, 3201),  # 1601.44 and 3201.44
        (0.9, 1.0, 14400, 16000),
        (0.9, 1.4999, 14400, 16000),
    ):
        samples, found = load_audio(entry, RATE, start, end)
        np.testing.assert_array_equal(samples, whole[first:last])
        assert found == info
    for start, end in ((0.9, 1.5), (1.0, 1.1), (2.0, None), (0.5, 0.5), (0.5, 0.4), (-0.1, 0.5)):
        with pytest.raises(ValueError, match=rf"segment: {start:g} to .* 1 s$"):
            load_audio(entry, RATE, start, end)


def test_a_segment_is_resampled_alone(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.wav", make_speech(0, 1.0, 8000), 8000)
    part = write_audio(tmp_path / "part.wav", soundfile.read(path)[0][2000:4000], 8000)
    samples, _ = load_audio(str(path), RATE, 0.25, 0.5)
    np.testing.assert_array_equal(samples, load_audio(str(part), RATE)[0])


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
    ("content", "reason"), [(b"", "empty"), (b"no audio at all\n" * 100, "unreadable")]
)
def test_bad_files_are_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        read_info(path)
    with pytest.raises(ValueError, match="unreadable"):
        load_audio(str(path), 16000)


def test_a_file_without_samples_or_none_at_all_is_refused(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "nothing.wav", np.zeros(0, dtype=np.float32))
    for read in (read_info, lambda path: load_audio(str(path), 16000)):
        with pytest.raises(ValueError, match="no samples"):
            read(path)
    with pytest.raises(ValueError, match="unreadable"):
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


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, -2e9])
@pytest.mark.parametrize("rate", [RATE, 8000])
def test_samples_that_are_no_sound_are_refused(tmp_path: Path, value: float, rate: int) -> None:
    samples = make_speech(0)
    samples[100] = value
    path = write_audio(tmp_path / "a.wav", samples, subtype="FLOAT")
    with pytest.raises(ValueError, match="not finite numbers, or far beyond"):
        load_audio(str(path), rate)
    samples[100] = 40  # a clipped mixture is as it is
    load_audio(str(write_audio(path, samples, subtype="FLOAT")), rate)
