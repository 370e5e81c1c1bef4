"""Recordings whose headers do not tell their lengths, or in which nobody can seek."""

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deep_speaker.kaldi import audio_files
from deep_speaker.kaldi.audio import (
    load_audio,
    open_audio,
    read_entry_info,
    read_samples,
)
from deep_speaker.kaldi.audio_bytes import Opened, Source
from support.odd_audio import (
    SECONDS,
    cut_in_half,
    decode,
    gsm,
    open_rf64,
    open_wav,
    unmeasured_flac,
    unmeasured_mp3,
)
from support.speech import RATE, make_speech, write_audio


def write_form(path: Path, samples: np.ndarray) -> Path:
    subtypes = {".mp3": "MPEG_LAYER_III", ".ogg": "VORBIS"}
    return write_audio(path, samples, subtype=subtypes.get(path.suffix, "PCM_16"))


LENGTH = round(SECONDS * RATE)
UNTOLD: dict[str, Callable[[Path], Path]] = {
    "flac": lambda folder: unmeasured_flac(folder / "a.flac"),
    "wav of an open file": lambda folder: open_wav(folder / "a.wav"),
    "wav of an endless file": lambda folder: open_wav(folder / "a.wav", 0xFFFFFFFF),
    "wav of a closed file": lambda folder: open_wav(folder / "a.wav", None),
    "rf64": lambda folder: open_rf64(folder / "a.wav"),
}


@pytest.mark.parametrize("form", ["{}", "cat {} |"])
@pytest.mark.parametrize("kind", UNTOLD)
def test_a_length_that_the_header_does_not_tell_is_counted(
    tmp_path: Path, kind: str, form: str
) -> None:
    path = UNTOLD[kind](tmp_path)
    entry = form.format(shlex.quote(str(path)))
    expected = np.rint(make_speech(3, SECONDS) * 32768)
    info = read_entry_info(entry)
    assert (info.num_samples, info.sampling_rate, info.num_channels) == (LENGTH, RATE, 1)
    samples, found = load_audio(entry, RATE)
    assert found == info
    np.testing.assert_allclose(samples, expected, rtol=0, atol=1)
    part, _ = load_audio(entry, RATE, 0.5, 2.2)  # up to half a second past its end
    np.testing.assert_array_equal(part, samples[RATE // 2 :])
    for start, end in ((0.5, 2.6), (2.1, 2.2)):
        with pytest.raises(ValueError, match=r"^no such segment: .* of a recording of 2 s$"):
            load_audio(entry, RATE, start, end)


@pytest.mark.parametrize("tag", [b"", b"ID3\4\0\0\0\0\2\1" + bytes(257)])
def test_mp3_without_a_header_is_not_cut_at_an_estimate(tmp_path: Path, tag: bytes) -> None:
    """libmpg123 goes by the first frames: half of this one, which the decoder would leave out."""
    path = unmeasured_mp3(tmp_path / "a.mp3")
    path.write_bytes(tag + path.read_bytes())
    assert len(decode(path)) < 16 * RATE
    samples, info = load_audio(str(path), RATE)
    assert (info.num_samples, info.plain) == (len(samples), False)
    assert 20 * RATE <= len(samples) < 20.3 * RATE
    assert read_entry_info(f"cat {path} |") == info
    np.testing.assert_allclose(
        load_audio(str(path), RATE, 9, 18)[0], samples[9 * RATE : 18 * RATE], atol=1
    )


def test_nothing_is_counted_while_samples_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = unmeasured_flac(tmp_path / "a.flac")
    monkeypatch.setattr(audio_files, "count_samples", None)
    monkeypatch.setattr(audio_files, "BLOCK", 1000)
    with open_audio(str(path)) as file:
        for start in (0.3, 1.2, 0.1):
            assert len(read_samples(file, RATE, start, start + 0.5)) == RATE // 2
        assert len(read_samples(file, RATE)) == LENGTH
        assert file.frames == file.info.num_samples == LENGTH


@pytest.mark.parametrize("suffix", ["wav", "mp3", "ogg"])
def test_what_is_cut_in_half_has_the_length_that_is_decoded(tmp_path: Path, suffix: str) -> None:
    path = cut_in_half(write_form(tmp_path / f"a.{suffix}", make_speech(3, 20)))
    expected = decode(path)
    samples, info = load_audio(str(path), RATE)
    np.testing.assert_allclose(samples, expected, atol=0.01)  # of MP3 the last digit changes
    assert 5 * RATE < info.num_samples == len(samples) < 15 * RATE
    with open_audio(str(path)) as file:
        np.testing.assert_allclose(
            read_samples(file, RATE, 2, 3), samples[2 * RATE : 3 * RATE], atol=0.01
        )
        for _ in range(2):
            with pytest.raises(
                ValueError, match=r"^no such segment: 15 to 16 s of a recording of "
            ):
                read_samples(file, RATE, 15, 16)
        np.testing.assert_allclose(
            read_samples(file, RATE, 1, 2), samples[RATE : 2 * RATE], atol=0.01
        )


def test_flac_is_read_up_to_damage(tmp_path: Path) -> None:
    path = write_form(tmp_path / "a.flac", make_speech(3, 20))
    whole = decode(path)
    cut_in_half(path)
    with open_audio(str(path)) as file:
        for start, end in ((15, 16), (1, 2), (0, None), (2, 3), (8, 20), (0, 1)):
            if start < 5 and end:
                part = read_samples(file, RATE, start, end)
                np.testing.assert_array_equal(part, whole[start * RATE : end * RATE])
            else:
                with pytest.raises(ValueError, match=r"^(unreadable: .*lost sync|no such segment)"):
                    read_samples(file, RATE, start, end)


@pytest.mark.parametrize("form", ["{}", "cat {} |"])
def test_where_nobody_can_seek_segments_are_read_forward(tmp_path: Path, form: str) -> None:
    path = gsm(tmp_path / "a.wav", 10)
    whole = decode(path)
    entry = form.format(path)
    info = read_entry_info(entry)
    assert (info.num_samples, info.plain) == (len(whole), False)
    np.testing.assert_array_equal(load_audio(entry, 8000)[0], whole)
    spans = [(0.5, 4), (1, 2), (1.5, 5), (4.5, 5), (8, 9), (9.5, 10.2), (0, 1), (3, 4), (3, 3.5)]
    with open_audio(entry) as file:
        for start, end in spans:
            part = read_samples(file, 8000, start, end)
            np.testing.assert_array_equal(part, whole[int(start * 8000) : int(end * 8000)])
        np.testing.assert_array_equal(read_samples(file, 8000), whole)


def test_overlapping_segments_are_decoded_once_and_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    open_sound = audio_files.open_sound

    def open_and_note(source: Source) -> Opened:
        opened.append(source)
        return open_sound(source)

    monkeypatch.setattr(audio_files, "open_sound", open_and_note)
    with open_audio(str(gsm(tmp_path / "a.wav", 60))) as file:
        for start in np.arange(0, 58, 0.5):
            assert len(read_samples(file, 8000, start, start + 1.5)) == 12000
            assert len(file._held) == 12000
    assert len(opened) == 1


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_blocks_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = write_form(tmp_path / f"a.{suffix}", make_speech(3))
    whole, info = load_audio(str(path), RATE)
    monkeypatch.setattr(audio_files, "BLOCK", 999)
    assert info.plain
    np.testing.assert_allclose(load_audio(str(path), RATE)[0], whole, atol=0.01)
