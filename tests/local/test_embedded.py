"""The embedded corpus: repeatable, within its specification, and physically what it claims."""

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from embedded import corpus, sessions, voices

SEED = 3
SPEAKERS = range(1, 6)
RATE = sessions.SAMPLE_RATE


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[corpus.Written]:
    """A corpus of five speakers with two utterances each."""
    return corpus.synthesise_corpus(tmp_path_factory.mktemp("two"), SPEAKERS, 2, SEED, nj=2)


def breathy_voice() -> voices.Voice:
    """The first voice with breath noise, the part of espeak-ng that is random."""
    return next(voice for voice in map(draw, range(100)) if voice.breath)


def draw(speaker: int) -> voices.Voice:
    return voices.draw_voice(SEED, speaker)


def sine(frequency_hz: float, rate: int, seconds: float = 2.0) -> np.ndarray:
    times = np.arange(round(rate * seconds)) / rate
    return np.sin(2 * np.pi * frequency_hz * times).astype(np.float32)


def power_db(sound: np.ndarray) -> float:
    return 10 * math.log10(np.mean(np.square(sound, dtype=np.float64)))


# The corpus


def test_corpus_is_byte_identical_for_any_number_of_jobs(
    written: list[corpus.Written], tmp_path: Path
) -> None:
    again = corpus.synthesise_corpus(tmp_path, SPEAKERS, 2, SEED, nj=1)
    assert [(name, text) for name, _, text in again] == [(name, text) for name, _, text in written]
    for (_, path, _), (_, path_again, _) in zip(written, again, strict=True):
        assert path.read_bytes() == path_again.read_bytes()


def test_another_seed_gives_another_corpus(written: list[corpus.Written], tmp_path: Path) -> None:
    name, path, _ = corpus.synthesise_speaker(SEED + 1, 1, 1, tmp_path)[0]
    assert name == written[0][0]
    assert path.read_bytes() != written[0][1].read_bytes()


def test_files_are_16_khz_mono_of_3_to_6_seconds_at_the_stated_level(
    written: list[corpus.Written],
) -> None:
    for _, path, _ in written:
        sound, rate = soundfile.read(path)
        assert (rate, sound.ndim, soundfile.info(path).subtype) == (16000, 1, "PCM_16")
        assert 3 <= len(sound) / rate <= 6
        assert -32.1 <= power_db(sound) <= -17.9
        assert np.abs(sound).max() <= 0.99
        assert abs(sound.mean()) < 0.01 * sound.std()  # no DC
        frames = sound[: len(sound) // 400 * 400].reshape(-1, 400)
        loudness_db = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
        assert np.ptp(np.percentile(loudness_db, [5, 95])) > 10  # speech and pauses


def test_identifiers_sort_and_name_the_files(written: list[corpus.Written]) -> None:
    names = [name for name, _, _ in written]
    assert names == sorted(names)
    assert names[:3] == ["emb0001-001", "emb0001-002", "emb0002-001"]
    assert [path.parts[-2:] for _, path, _ in written][2] == ("emb0002", "emb0002-001.wav")


def test_text_is_words_spoken_at_a_human_rate(written: list[corpus.Written]) -> None:
    for _, path, text in written:
        words = text.lower().replace(",", "").replace(".", "").split()
        assert set(words) <= set(voices.WORDS)
        assert 1 < len(words) / soundfile.info(path).duration < 6


@pytest.mark.parametrize(("speaker", "utterance"), [(10000, 1), (-1, 1), (1, 0), (1, 1000)])
def test_identifiers_out_of_range_are_refused(speaker: int, utterance: int) -> None:
    with pytest.raises(ValueError, match="out of range; choose"):
        corpus.utterance_id(speaker, utterance)


def test_cut_takes_the_word_boundary_nearest_the_wanted_duration() -> None:
    speech = corpus.Speech(
        samples=np.zeros(8 * RATE, np.int16),
        words=np.array([[0, 0], [4, 2 * RATE], [8, 4 * RATE], [12, 7 * RATE]]),
    )
    request = corpus.Request("one two six ten.", 175, 50, 50, duration_s=5.9)
    assert corpus.cut(speech, request, ratio=1.0) == (4 * RATE, "one two")
    with pytest.raises(ValueError, match="no word ends after 3 to 6 s"):
        corpus.cut(speech, request, ratio=3.5)


# Speaking


def test_speech_with_breath_repeats_from_one_second_to_the_next() -> None:
    voice = breathy_voice()
    requests = [corpus.draw_request(SEED, 1, 1, voice)]
    first = corpus.speak(voice, requests)[0]
    time.sleep(1.1)  # espeak-ng would seed its noise with the time in seconds
    second = corpus.speak(voice, requests)[0]
    assert np.array_equal(first.samples, second.samples)
    assert np.array_equal(first.words, second.words)


def test_two_voices_speak_the_same_words_differently() -> None:
    request = corpus.draw_request(SEED, 1, 1, draw(1))
    spectra = []
    for speaker in (1, 3):
        samples = corpus.speak(draw(speaker), [request])[0].samples
        power = np.abs(np.fft.rfft(samples, 2**18)) ** 2
        bands = power[: 2**16].reshape(32, -1).sum(axis=1)
        spectra.append(10 * np.log10(bands / bands.sum()))
    assert np.abs(spectra[0] - spectra[1]).mean() > 1  # dB


def test_words_start_inside_the_text_and_the_speech() -> None:
    voice = draw(1)
    requests = [corpus.draw_request(SEED, 1, number, voice) for number in (1, 2)]
    for request, speech in zip(requests, corpus.speak(voice, requests), strict=True):
        positions, starts = speech.words.T.astype(int)
        assert 0 <= positions[0] <= positions[-1] < len(request.text)
        assert 0 <= starts[0] <= starts[-1] < len(speech.samples)
        assert np.all(np.diff(positions) > 0)
        assert np.all(np.diff(starts) >= 0)


@pytest.mark.parametrize("language", ["xx", "en-gb", "../en"])
def test_unknown_language_gives_one_clear_line(language: str) -> None:
    voice = replace(draw(1), language=language)
    with pytest.raises(ValueError, match=f"unknown language '{language}'; choose") as caught:
        corpus.speak(voice, [corpus.draw_request(SEED, 1, 1, voice)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("language", voices.LANGUAGES)
def test_every_language_speaks(language: str) -> None:
    voice = replace(draw(1), language=language)
    speech = corpus.speak(voice, [corpus.draw_request(SEED, 1, 1, voice)])[0]
    assert len(speech.samples) > 3 * sessions.SPEECH_RATE
    assert np.abs(speech.samples).max() > 3000


# Voices


def test_sexes_alternate() -> None:
    assert [draw(speaker).sex for speaker in range(4)] == ["m", "f", "m", "f"]


def test_a_voice_depends_on_seed_and_speaker_only() -> None:
    assert draw(1) == draw(1)
    assert len({voices.variant_text(draw(speaker)) for speaker in range(50)}) == 50
    assert voices.draw_voice(SEED + 1, 1) != draw(1)


def test_drawn_voices_lie_in_their_ranges() -> None:
    drawn = [draw(speaker) for speaker in range(300)]
    for voice in drawn:
        assert 70 <= voice.pitch_low_hz <= 260
        assert 1.24 <= voice.pitch_high_hz / voice.pitch_low_hz <= 1.71
        assert voice.formants[0] == (100, 100, 100)
        assert len(voice.formants) == 9
        assert all(height <= 250 for _, height, _ in voice.formants)
        assert 0 <= voice.flutter <= 6
        assert 0 <= voice.roughness <= 4
        assert 1 <= voice.intonation <= 4
        assert 50 <= voice.voicing <= 130
        assert all(60 <= percent <= 140 for percent in voice.consonants)
        assert 80 <= voice.speed <= 125
        assert len(voice.breath) in (0, 8)
        assert all(0 <= amplitude <= 17 for amplitude in voice.breath)
        assert len(voice.stress_add) == len(voice.stress_lengths) == 8
        assert 145 <= voice.rate <= 200
        assert 30 <= voice.pitch_range <= 70
    assert {voice.language for voice in drawn} == set(voices.LANGUAGES)
    assert {voice.flutter for voice in drawn} == set(range(7))
    assert 0.5 < np.mean([bool(voice.breath) for voice in drawn]) < 0.7


@pytest.mark.parametrize(("sex", "pitch", "factor"), [("m", 112, 98), ("f", 165, 110)])
def test_drawn_voices_have_their_sexes_means(sex: str, pitch: float, factor: float) -> None:
    drawn = [voice for voice in map(draw, range(600)) if voice.sex == sex]
    assert np.mean([voice.pitch_low_hz for voice in drawn]) == pytest.approx(pitch, abs=5)
    frequencies = [triple[0] for voice in drawn for triple in voice.formants[1:]]
    assert np.mean(frequencies) == pytest.approx(factor, abs=1.5)
    assert np.mean([voice.warp for voice in drawn]) == pytest.approx(1, abs=0.01)


def test_sentences_have_seven_words() -> None:
    text = voices.draw_sentences(np.random.default_rng(0), 5)
    sentences = text.rstrip(".").split(". ")
    assert [len(sentence.split()) for sentence in sentences] == [7] * 5
    assert len(set(voices.WORDS)) == len(voices.WORDS) >= 220


# Sessions


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


def test_nothing_but_speak_loads_espeak() -> None:
    for path in Path(corpus.__file__).parent.glob("*.py"):
        assert ("espeakng_loader" in path.read_text()) == (path.name == "speak.py")
