"""Recordings: of any form they give the same samples; what holds no speech is refused by name."""

import re
from pathlib import Path

import numpy as np
import pytest

from deep_speaker.voices.recordings import read_recording
from support.sounds import sine
from support.speech import RATE, make_speech, write_audio

SPEECH = make_speech(1, 2.0)


def test_files_and_samples_of_any_form_are_the_same(tmp_path: Path) -> None:
    """On the scale of 16-bit integers, to which the file is rounded."""
    stereo = np.stack([SPEECH, np.zeros_like(SPEECH)], axis=1)
    integers = np.round(SPEECH * 32768).astype(np.int16)
    found = [
        read_recording(write_audio(tmp_path / "a.wav", SPEECH), RATE),
        read_recording(write_audio(tmp_path / "a.flac", stereo), RATE),
        read_recording(str(write_audio(tmp_path / "f.wav", SPEECH, subtype="FLOAT")), RATE),
        read_recording(integers, RATE, RATE),
        read_recording(SPEECH, RATE, RATE),
        read_recording(SPEECH.astype(np.float64), RATE, RATE),
        read_recording(stereo, RATE, RATE),
    ]
    for recording in found:
        assert recording.samples.dtype == np.float32
        np.testing.assert_allclose(recording.samples, SPEECH * 32768, atol=1)
        assert (recording.seconds, recording.rate, recording.original_rate) == (2.0, RATE, RATE)
        assert recording.warnings == []
    # Syllables fill 0.7 of it; a frame of 25 ms that touches one counts.
    assert 1.4 <= found[0].speech <= 1.7


@pytest.mark.parametrize("rate", [8000, 11025, 44100])
def test_other_rates_become_the_model_s(rate: int, tmp_path: Path) -> None:
    """A tone of 1 kHz that comes and goes stays one of 1 kHz."""
    times = np.arange(2 * rate) / rate
    tone = 0.3 * sine(1000, rate) * (times % 0.5 < 0.3)
    for recording in (
        read_recording(write_audio(tmp_path / "a.wav", tone, rate), RATE),
        read_recording(tone, RATE, rate),
    ):
        assert len(recording.samples) == 2 * RATE
        spectrum = np.abs(np.fft.rfft(recording.samples))
        assert np.argmax(spectrum) / 2 == pytest.approx(1000, abs=3)  # bins of 0.5 Hz
        assert np.abs(recording.samples).max() == pytest.approx(0.3 * 32768, rel=0.1)
        below = [warning for warning in recording.warnings if "sampled at" in warning]
        assert len(below) == (rate < RATE)


SILENT: dict[str, np.ndarray] = {
    "silence": np.zeros(2 * RATE, np.float32),
    "noise": np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32),
    "tone": 0.3 * sine(440, RATE),
    "hum": 0.1 * sine(50, RATE) + 0.03 * sine(100, RATE),
}


@pytest.mark.parametrize("kind", SILENT)
def test_what_holds_no_voice_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    path = write_audio(tmp_path / f"{kind}.wav", SILENT[kind])
    with pytest.raises(ValueError, match=f"{path}: no voice in its 2.0 s.*at least 1 s of speech"):
        read_recording(path, RATE)
    with pytest.raises(ValueError, match=r"the samples: no voice in its 2\.0 s"):
        read_recording(SILENT[kind], RATE, RATE)


LATER = np.concatenate([np.zeros(2 * RATE, np.float32), SPEECH])
EARLIER = np.concatenate([SPEECH, np.zeros(2 * RATE, np.float32)])


def test_a_silent_first_channel_is_refused_with_the_one_that_speaks(tmp_path: Path) -> None:
    stereo = np.stack([np.zeros_like(SPEECH), SPEECH], axis=1)
    path = write_audio(tmp_path / "a.wav", stereo)
    told = r"no voice in its 2\.0 s .*, but channel 2 holds 1\.\d s of speech .*--channel 2, or "
    for audio, rate in ((path, None), (stereo, RATE)):
        with pytest.raises(ValueError, match=told):
            read_recording(audio, RATE, rate)
        recording = read_recording(audio, RATE, rate, channel=1)
        np.testing.assert_allclose(recording.samples, SPEECH * 32768, atol=1)
        assert recording.warnings == []
        with pytest.raises(ValueError, match="no channel "):
            read_recording(audio, RATE, rate, channel=2)


def test_the_other_side_of_a_call_is_told_of_and_one_voice_on_both_channels_is_not(
    tmp_path: Path,
) -> None:
    call = np.stack([EARLIER, LATER], axis=1)
    for channel in (0, 1):
        (warning,) = read_recording(call, RATE, RATE, channel=channel).warnings
        assert warning.startswith(f"channel {2 - channel} holds ")
        assert f"--channel {2 - channel}" in warning
    noise = 1e-3 * np.random.default_rng(0).standard_normal(len(EARLIER))
    for both in ([EARLIER, 0.6 * EARLIER + noise], [EARLIER, np.roll(EARLIER, 160)]):
        assert read_recording(np.stack(both, axis=1), RATE, RATE).warnings == []


def test_what_is_too_short_is_refused_by_name(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "short.wav", SPEECH[: RATE // 2])
    with pytest.raises(ValueError, match=r"short.wav: 0.5 s long: give .* at least 1 s"):
        read_recording(path, RATE)
    assert read_recording(path, RATE, shortest=0.3).seconds == 0.5
    mostly_silent = np.concatenate([SPEECH[: RATE // 2], np.zeros(3 * RATE, np.float32)])
    with pytest.raises(ValueError, match=r"the samples: 0\.[345] s of voice in its 3.5 s"):
        read_recording(mostly_silent, RATE, RATE)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (SPEECH, None, "give their rate"),
        (SPEECH, 0, "give their rate"),
        (SPEECH.astype(np.int32), RATE, "samples of int32: give int16, or floats"),
        (np.zeros(0, np.float32), RATE, r"samples of shape \(0,\)"),
        (np.zeros((2, 2, 2), np.float32), RATE, r"samples of shape \(2, 2, 2\)"),
        (np.where(np.arange(len(SPEECH)) == 7, np.nan, SPEECH), RATE, "not finite"),
    ],
)
def test_samples_of_another_form_are_refused(
    samples: np.ndarray, rate: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_recording(samples, RATE, rate)


def test_files_that_are_no_recordings_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{tmp_path}/no.wav: no such file"):
        read_recording(tmp_path / "no.wav", RATE)
    (tmp_path / "text.wav").write_text("not a recording")
    with pytest.raises(ValueError, match=f"{tmp_path}/text.wav: unreadable.*: convert it"):
        read_recording(tmp_path / "text.wav", RATE)


FAULTS = {
    "clipped": (np.clip(30 * SPEECH, -1, 1), "% of its samples are clipped"),
    "quiet": (0.02 * SPEECH, "very quiet: 5. dB below full scale"),
    "loud": (np.sign(SPEECH) * np.where(np.abs(SPEECH) > 0.01, 0.9, 0.01), "very loud: . dB"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_faults_are_warned_of(kind: str) -> None:
    samples, message = FAULTS[kind]
    warnings = read_recording(samples.astype(np.float32), RATE, RATE).warnings
    assert any(re.search(message, warning) for warning in warnings)
