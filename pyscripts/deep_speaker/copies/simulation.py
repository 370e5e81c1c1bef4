"""Simulated noises and rooms, for copies without recordings of such.

Lhotse's FastRandomRIRGenerator would need torchaudio, and ignores the seed in part.
"""

from pathlib import Path

import numpy as np
import soundfile
from numpy.random import Generator

SPEED_OF_SOUND = 343.0  # metres a second
NOISE_SECONDS = 10
LONGEST_ECHO_S = 1.0
LOWEST_HZ = 50.0  # of noise, and of rooms: the image method exaggerates lower frequencies


def write_noise(path: Path, sampling_rate: int, rng: Generator) -> None:
    """Write one simulated noise as a WAV file of 16 bits, its peak at half the range."""
    _write_wav(path, draw_noise(NOISE_SECONDS * sampling_rate, sampling_rate, rng), sampling_rate)


def write_room(path: Path, sampling_rate: int, rng: Generator) -> None:
    """Write the impulse response of one simulated room, likewise."""
    _write_wav(path, draw_room(sampling_rate, rng), sampling_rate)


def _write_wav(path: Path, samples: np.ndarray, sampling_rate: int) -> None:
    soundfile.write(path, 0.5 * samples / np.abs(samples).max(), sampling_rate, subtype="PCM_16")


def draw_noise(num_samples: int, sampling_rate: int, rng: Generator) -> np.ndarray:
    """Draw coloured noise: a power spectrum that falls as f^-a, a from 0 (white) to 2 (brown).

    A smooth random filter changes it by 4 dB from octave to octave, and its level sways by up to
    6 dB from half second to half second (standard deviations).
    """
    frequencies = np.fft.rfftfreq(num_samples, 1 / sampling_rate)
    octaves = np.log2(np.maximum(frequencies, 1) / LOWEST_HZ)
    knots = np.arange(np.ceil(octaves[-1]) + 1)
    gain_db = np.interp(octaves, knots, rng.normal(0, 4, len(knots)))
    gain_db -= 10 * np.log10(2) * rng.uniform(0, 2) * octaves
    spectrum = rng.standard_normal((2, len(frequencies))) * 10 ** (gain_db / 20)
    spectrum[:, frequencies < LOWEST_HZ] = 0
    noise = np.fft.irfft(spectrum[0] + 1j * spectrum[1], num_samples)
    seconds = np.arange(num_samples) / sampling_rate
    times = np.arange(0, seconds[-1] + 0.5, 0.5)
    sway_db = rng.uniform(0, 6) * rng.standard_normal(len(times))
    return noise * 10 ** (np.interp(seconds, times, sway_db) / 20)


def draw_room(sampling_rate: int, rng: Generator) -> np.ndarray:
    """Draw the impulse response of a box, by the image method (Allen and Berkley 1979).

    Half of the rooms are small, half of medium size; walls absorb 0.2 to 0.8 of the energy, and the
    microphone is up to 5 m away: as in the simulated responses of RIRS_NOISES (Ko et al. 2017).
    """
    walls = (1, 10) if rng.random() < 0.5 else (10, 30)
    size = np.array([*rng.uniform(*walls, 2), rng.uniform(2, 5)])
    source = size * rng.uniform(0.1, 0.9, 3)
    direction = rng.standard_normal(3)
    distance = rng.uniform(0.2, 5)
    microphone = source + distance * direction / np.linalg.norm(direction)
    microphone = np.clip(microphone, 0.1 * size, 0.9 * size)
    return room_response(size, source, microphone, rng.uniform(0.2, 0.8), sampling_rate)


def room_response(
    size: np.ndarray, source: np.ndarray, microphone: np.ndarray, absorption: float, rate: int
) -> np.ndarray:
    """Compute the impulse response between two places in a room, in metres, shape (3,) each.

    Returns:
        float64, the direct sound and at most `LONGEST_ECHO_S` of echo. The echo lasts twice the
        time in which a diffuse one falls by 60 dB (Sabine 1922), as it does along an empty room.
    """
    surface = 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    echo_s = min(2 * 0.161 * size.prod() / (surface * absorption), LONGEST_ECHO_S)
    reach = np.linalg.norm(source - microphone) + SPEED_OF_SOUND * echo_s
    squares, reflections = zip(
        *(_images(size[i], source[i], microphone[i], reach) for i in range(3)), strict=True
    )
    square = squares[0][:, None, None] + squares[1][:, None] + squares[2]
    count = reflections[0][:, None, None] + reflections[1][:, None] + reflections[2]
    heard = square <= reach**2
    path = np.maximum(np.sqrt(square[heard]), 0.01)
    gain = np.sqrt(1 - absorption) ** count[heard] / path
    response = np.bincount(np.round(path / SPEED_OF_SOUND * rate).astype(int), gain)
    spectrum = np.fft.rfft(response)
    frequencies = np.fft.rfftfreq(len(response), 1 / rate)
    return np.fft.irfft(spectrum * (frequencies >= LOWEST_HZ), len(response))


def _images(
    length: float, source: float, microphone: float, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the squared distances of a source's images along one axis, and walls on the way."""
    rooms = np.arange(-np.ceil(reach / (2 * length)), np.ceil(reach / (2 * length)) + 1)
    same, mirrored = 2 * rooms * length + source, 2 * rooms * length - source
    distances = np.concatenate([same, mirrored]) - microphone
    walls = np.concatenate([2 * np.abs(rooms), np.abs(rooms - 1) + np.abs(rooms)])
    return (distances**2).astype(np.float32), walls.astype(np.float32)
