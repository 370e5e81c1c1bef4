"""Recording sessions of utterances: warp, microphone, room, noise and level, in NumPy and SciPy.

Sound is a float32 array of shape (samples,), full scale 1.0, at 16 kHz unless a name says
otherwise. Every filter is a gain per frequency, so that one Fourier transform applies them all.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import firwin, resample_poly

SAMPLE_RATE = 16000
SPEECH_RATE = 22050  # of espeak-ng
MICROPHONE_KNOTS_HZ = np.geomspace(60, 8000, 10)
LOWEST_NOISE_HZ = 20.0  # below, f^-a noise would have its power where no microphone picks it up
PEAK_LIMIT = 0.99

Amount = TypeVar("Amount", float, np.ndarray)


@dataclass(frozen=True)
class Session:
    """The recording conditions of one utterance."""

    microphone_db: tuple[float, ...]  # gains at MICROPHONE_KNOTS_HZ
    high_pass_hz: float
    low_pass_hz: float
    reverberation_time_s: float  # RT60: the time in which the echo falls by 60 dB
    direct_to_reverberant_db: float
    noise_exponent: float  # a, where the noise's power spectrum falls as f^-a
    snr_db: float
    level_dbfs: float  # root mean square, relative to full scale


def draw_session(random: Generator) -> Session:
    """Draw recording conditions."""
    tilt_db = random.normal(0, 2)
    microphone_db = random.normal(0, 3.5, 10) + np.linspace(-tilt_db, tilt_db, 10)
    return Session(
        microphone_db=tuple(microphone_db.tolist()),
        high_pass_hz=random.uniform(40, 180),
        low_pass_hz=random.uniform(4500, 8000),
        reverberation_time_s=random.uniform(0.05, 0.3),
        direct_to_reverberant_db=random.uniform(6, 20),
        noise_exponent=random.uniform(0, 0.8),
        snr_db=random.uniform(13, 33),
        level_dbfs=random.uniform(-32, -18),
    )


def record(speech: np.ndarray, session: Session, random: Generator) -> np.ndarray:
    """Record speech (16 kHz) under the session's conditions; `random` draws echo and noise.

    Returns:
        int16, as many samples as `speech`.
    """
    echo = draw_room(session.reverberation_time_s, session.direct_to_reverberant_db, random)
    size = next_fast_len(len(speech) + len(echo) - 1, real=True)
    frequencies_hz = rfftfreq(size, 1 / SAMPLE_RATE).astype(np.float32)
    spectrum = rfft(speech, size) * rfft(echo, size) * channel_gain(frequencies_hz, session)
    received = irfft(spectrum, size)[: len(speech)]
    noisy = add_noise(received, session.noise_exponent, session.snr_db, random)
    return np.rint(set_level(noisy, session.level_dbfs) * 32767).astype(np.int16)


def channel_gain(frequencies_hz: np.ndarray, session: Session) -> np.ndarray:
    """Compute the gain of microphone, high-pass (12 dB per octave) and low-pass (24).

    Gains in dB are linear in log frequency between the microphone's knots. The passes have the
    magnitude of Butterworth filters: half the power at their frequency.
    """
    octaves = np.log2(np.maximum(frequencies_hz, 1e-3))
    gain_db = np.interp(octaves, np.log2(MICROPHONE_KNOTS_HZ), session.microphone_db)
    high = (frequencies_hz / session.high_pass_hz) ** 4
    low = (frequencies_hz / session.low_pass_hz) ** 8
    return decibels(gain_db.astype(np.float32)) * np.sqrt(high / ((1 + high) * (1 + low)))


def draw_room(
    reverberation_time_s: float, direct_to_reverberant_db: float, random: Generator
) -> np.ndarray:
    """Draw a room's impulse response: the direct sound, 1, and an echo of decaying noise.

    Exponentially decaying Gaussian noise is Polack's model of late reverberation (1988).

    Returns:
        Shape (RT60 in samples,), after which the echo lies below -60 dB.
    """
    num_samples = round(reverberation_time_s * SAMPLE_RATE)
    echo = random.standard_normal(num_samples, dtype=np.float32)
    echo *= np.logspace(0, -3, num_samples, dtype=np.float32)
    echo[0] = 0
    echo /= np.sqrt(np.sum(echo**2)) * decibels(direct_to_reverberant_db)
    echo[0] = 1
    return echo


def add_noise(sound: np.ndarray, exponent: float, snr_db: float, random: Generator) -> np.ndarray:
    """Add noise (see `draw_noise`) of 1 / SNR of the sound's mean power, pauses included."""
    noise = draw_noise(len(sound), exponent, random)
    return sound + noise * (rms(sound) / rms(noise) / decibels(snr_db))


def draw_noise(num_samples: int, exponent: float, random: Generator) -> np.ndarray:
    """Draw noise whose power spectrum falls as f^-exponent: 0 is white, 1 would be pink."""
    size = next_fast_len(num_samples, real=True)
    frequencies_hz = rfftfreq(size, 1 / SAMPLE_RATE).astype(np.float32)
    spectrum = random.standard_normal(2 * len(frequencies_hz), np.float32).view(np.complex64)
    first = np.searchsorted(frequencies_hz, LOWEST_NOISE_HZ)
    spectrum[:first] = 0
    spectrum[first:] *= frequencies_hz[first:] ** np.float32(-exponent / 2)
    return irfft(spectrum, size)[:num_samples]


def set_level(sound: np.ndarray, level_dbfs: float) -> np.ndarray:
    """Scale to a root mean square in dB of full scale, or less where peaks would clip."""
    return sound * min(decibels(level_dbfs) / rms(sound), PEAK_LIMIT / np.abs(sound).max())


def rms(sound: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(sound**2)))


def decibels(value_db: Amount) -> Amount:
    """Turn decibels into an amplitude ratio: 20 dB is 10."""
    return 10 ** (value_db / 20)


def resampling_ratio(warp: float) -> Fraction:
    """Return output over input samples that multiply frequencies by `warp`, exact to 0.02 %."""
    return Fraction(SAMPLE_RATE / (SPEECH_RATE * warp)).limit_denominator(1000)


def resample(speech: np.ndarray, ratio: Fraction) -> np.ndarray:
    """Resample espeak-ng's 22050 Hz to 16000 Hz by a `resampling_ratio`.

    Returns:
        Shape (ceil(samples x ratio),).
    """
    return resample_poly(speech, *ratio.as_integer_ratio(), window=resampling_filter(ratio))


@lru_cache(maxsize=1)  # one ratio per speaker
def resampling_filter(ratio: Fraction) -> np.ndarray:
    """Make the low-pass of resample_poly, at the lower of the two Nyquist frequencies."""
    longest = max(ratio.as_integer_ratio())
    return firwin(20 * longest + 1, 1 / longest, window=("kaiser", 5.0)).astype(np.float32)
