"""The embedded corpus: repeatable, within its specification, and physically what it claims."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from embedded import corpus, sessions, voices
from support.sounds import power_db

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
    with pytest.raises(ValueError, match=r"^(speaker|utterance) -?\d+ "):
        corpus.utterance_id(speaker, utterance)


def test_cut_takes_the_word_boundary_nearest_the_wanted_duration() -> None:
    speech = corpus.Speech(
        samples=np.zeros(8 * RATE, np.int16),
        words=np.array([[0, 0], [4, 2 * RATE], [8, 4 * RATE], [12, 7 * RATE]]),
    )
    request = corpus.Request("one two six ten.", 175, 50, 50, duration_s=5.9)
    assert corpus.cut(speech, request, ratio=1.0) == (4 * RATE, "one two")
    with pytest.raises(ValueError, match=r"'one two six ten\.'"):
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
    with pytest.raises(ValueError, match=f"language '{language}'") as caught:
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


def test_nothing_but_speak_loads_espeak() -> None:
    for path in Path(corpus.__file__).parent.glob("*.py"):
        assert ("espeakng_loader" in path.read_text()) == (path.name == "speak.py")
