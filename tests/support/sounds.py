"""Tones, and the power of sounds."""

import math

import numpy as np


def sine(frequency_hz: float, rate: int, seconds: float = 2.0) -> np.ndarray:
    times = np.arange(round(rate * seconds)) / rate
    return np.sin(2 * np.pi * frequency_hz * times).astype(np.float32)


def power_db(sound: np.ndarray) -> float:
    return 10 * math.log10(np.mean(np.square(sound, dtype=np.float64)))
