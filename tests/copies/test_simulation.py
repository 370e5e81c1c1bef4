"""Simulated noises and rooms: physics, and seeds."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from deep_speaker.copies.simulation import (
    LOWEST_HZ,
    SPEED_OF_SOUND,
    draw_noise,
    draw_room,
    room_response,
    write_noise,
    write_room,
)

RATE = 16000
SIZE, SOURCE = np.array([6.0, 5.0, 3.0]), np.array([2.0, 2.0, 1.5])


def test_sound_arrives_after_its_way_and_reflections_after_theirs() -> None:
    microphone = SOURCE + [2, 0, 0]
    response = room_response(SIZE, SOURCE, microphone, 0.5, RATE)
    direct = round(2 / SPEED_OF_SOUND * RATE)
    assert response.argmax() == direct
    # Floor and ceiling, 1.5 m away each, come next, together: a way of sqrt(2^2 + 3^2) m.
    way = np.sqrt(13)
    echo = round(way / SPEED_OF_SOUND * RATE)
    assert response[direct + 1 :].argmax() + direct + 1 == echo
    # Twice, weaker by the wall's sqrt(1 - 0.5) and by the longer way; the rest is the high-pass.
    expected = 2 * np.sqrt(0.5) * 2 / way
    assert response[echo] / response[direct] == pytest.approx(expected, abs=0.05)


def test_walls_that_absorb_less_echo_for_longer() -> None:
    microphone = SOURCE + [1, 1, 0]
    echoes = []
    for absorption in (0.2, 0.4, 0.8):
        energy = room_response(SIZE, SOURCE, microphone, absorption, RATE) ** 2
        left = np.cumsum(energy[::-1])[::-1]
        echoes.append(int(np.argmax(left < 1e-3 * left[0])) / RATE)  # fallen by 30 dB
    assert echoes[0] > 1.5 * echoes[1] > 2 * echoes[2] > 0


def test_rooms_differ_and_are_quiet_before_the_direct_sound() -> None:
    rooms = [draw_room(RATE, np.random.default_rng(seed)) for seed in range(8)]
    assert len({len(room) for room in rooms}) == 8
    for room in rooms:
        first = room.argmax()
        assert np.abs(room[: max(first - 1, 0)]).max(initial=0) < 0.5 * room[first]


def test_noise_is_coloured_and_has_nothing_below_the_lowest_frequency() -> None:
    slopes = []
    for seed in range(12):
        noise = draw_noise(2 * RATE, RATE, np.random.default_rng(seed))
        power = np.abs(np.fft.rfft(noise)) ** 2
        hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
        low, high = power[(hertz > 100) & (hertz < 400)], power[(hertz > 2000) & (hertz < 8000)]
        slopes.append(10 * np.log10(low.mean() / high.mean()))
        assert power[hertz < LOWEST_HZ / 2].sum() < 1e-2 * power.sum()
    assert max(slopes) > 20  # falls over four octaves
    assert min(slopes) < 10


@pytest.mark.parametrize("write", [write_noise, write_room])
def test_files_follow_from_the_seed(write: object, tmp_path: Path) -> None:
    assert callable(write)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write(tmp_path / f"{name}.wav", RATE, np.random.default_rng(seed))
    first, again, other = ((tmp_path / f"{name}.wav").read_bytes() for name in "abc")
    assert first == again != other
    samples, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == RATE
    assert np.abs(samples).max() == pytest.approx(0.5, abs=1e-3)
