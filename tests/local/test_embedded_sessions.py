"""Sessions of the embedded corpus: physically what they claim."""

import math
from dataclasses import replace

import numpy as np
import pytest

from embedded import sessions
from support.sounds import power_db, sine

RATE = sessions.SAMPLE_RATE


def test_drawn_sessions_lie_in_their_ranges() -> None:
    for seed in range(100):
        session = sessions.draw_session(np.random.default_rng(seed))
        assert len(session.microphone_db) == 10
        assert 40 <= session.high_pass_hz <= 180
        assert 4500 <= session.low_pass_hz <= 8000
        assert 0.05 <= session.reverberation_time_s <= 0.3
        assert 6 <= session.direct_to_reverberant_db <= 20
        assert 0 <= session.noise_exponent <= 0.8
        assert 13 <= session.snr_db <= 33
        assert -32 <= session.level_dbfs <= -18


@pytest.mark.parametrize("warp", [0.93, 1.0, 1.05])
def test_warp_multiplies_the_frequency_of_a_tone(warp: float) -> None:
    ratio = sessions.resampling_ratio(warp)
    assert float(ratio) == pytest.approx(16000 / 22050 / warp, rel=2e-4)
    tone = sine(1000, sessions.SPEECH_RATE)
    warped = sessions.resample(tone, ratio)
    assert len(warped) == math.ceil(len(tone) * ratio)
    middle = warped[4000:20000] * np.hanning(16000)  # one second: bins 1 Hz apart
    assert np.abs(np.fft.rfft(middle)).argmax() == pytest.approx(1000 * warp, abs=1)
    assert power_db(warped[4000:20000]) == pytest.approx(power_db(tone), abs=0.1)


@pytest.mark.parametrize(("reverberation_time_s", "ratio_db"), [(0.1, 6), (0.3, 20)])
def test_room_decays_by_60_db_in_its_reverberation_time(
    reverberation_time_s: float, ratio_db: float
) -> None:
    random = np.random.default_rng(0)
    echoes = [sessions.draw_room(reverberation_time_s, ratio_db, random) for _ in range(20)]
    power = np.mean(np.square(echoes, dtype=np.float64), axis=0)
    assert 10 * math.log10(power[0] / power[1:].sum()) == pytest.approx(ratio_db, abs=1e-3)
    times = np.arange(1, len(power)) / RATE
    slope_db_per_s = np.polyfit(times, 10 * np.log10(power[1:]), 1)[0]
    assert slope_db_per_s == pytest.approx(-60 / reverberation_time_s, rel=0.05)


@pytest.mark.parametrize("snr_db", [13.0, 33.0])
def test_noise_has_the_stated_snr(snr_db: float) -> None:
    tone = sine(440, RATE)
    noisy = sessions.add_noise(tone, 0.5, snr_db, np.random.default_rng(0))
    assert power_db(tone) - power_db(noisy - tone) == pytest.approx(snr_db, abs=0.01)


@pytest.mark.parametrize("exponent", [0.0, 0.8])
def test_noise_falls_with_its_exponent(exponent: float) -> None:
    noise = sessions.draw_noise(2**18, exponent, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [power[2**k : 2 ** (k + 1)].mean() for k in range(12, 17)]
    slope_db_per_octave = np.polyfit(range(5), 10 * np.log10(octaves), 1)[0]
    assert slope_db_per_octave == pytest.approx(-3.01 * exponent, abs=0.1)


def session_without_effects() -> sessions.Session:
    """A flat microphone, passes that pass everything audible, hardly a room, hardly a noise."""
    return sessions.Session((0.0,) * 10, 1e-3, 1e6, 0.05, 100.0, 0.0, 100.0, -20.0)


def test_passes_halve_the_power_at_their_frequency() -> None:
    session = replace(session_without_effects(), high_pass_hz=100.0, low_pass_hz=6000.0)
    gain = sessions.channel_gain(np.array([0, 50, 100, 1000, 6000]), session)
    gain_db = 20 * np.log10(gain[1:])
    assert gain[0] == 0
    assert gain_db == pytest.approx([-12.3, -3.01, 0, -3.01], abs=0.01)


def test_microphone_gain_is_its_knots_and_linear_in_octaves_between() -> None:
    session = replace(session_without_effects(), microphone_db=tuple(map(float, range(10))))
    knots = sessions.MICROPHONE_KNOTS_HZ
    between = math.sqrt(knots[3] * knots[4])
    gain = sessions.channel_gain(np.array([*knots, between]), session)
    assert 20 * np.log10(gain) == pytest.approx([*range(10), 3.5], abs=1e-3)


def test_recording_a_tone_without_effects_only_sets_its_level() -> None:
    tone = sine(500, RATE)
    sound = sessions.record(tone, session_without_effects(), np.random.default_rng(0))
    assert sound.dtype == np.int16
    assert len(sound) == len(tone)
    expected = tone * math.sqrt(2) * 10 ** (-20 / 20) * 32767
    assert np.abs(sound - expected).max() < 0.001 * np.abs(expected).max()


def test_level_is_lowered_where_a_peak_would_clip() -> None:
    clicks = np.zeros(RATE, np.float32)
    clicks[::1000] = 1.0
    assert power_db(sessions.set_level(clicks, -32.0)) == pytest.approx(-32, abs=0.01)
    assert np.abs(sessions.set_level(clicks, -18.0)).max() == pytest.approx(0.99, abs=1e-4)
