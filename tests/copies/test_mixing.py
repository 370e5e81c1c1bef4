"""How copies are mixed, against arithmetic on the samples."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lhotse.cut import MixedCut

from deep_speaker.config import AugmentedCopies
from deep_speaker.copies.mixing import as_cut, cut_of_copy, label
from deep_speaker.copies.reading import load_cut
from deep_speaker.copies.sources import Sources, generator_of, read_folder
from deep_speaker.kaldi.audio import read_info
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from support.speech import RATE, make_speech, write_audio

STEP = 1 / 32768  # of 16-bit samples


def make_source(path: Path, samples: np.ndarray, rate: int = RATE) -> Utterance:
    info = read_info(write_audio(path, samples, rate))
    return Utterance(path.stem, path.stem.split("-")[0], wav_entry(path, info), info)


def make_original(folder: Path, seconds: float = 0.6) -> tuple[Utterance, np.ndarray]:
    original = make_source(folder / "anna-1.wav", make_speech(1, seconds))
    return original, mixed(original, "1.0", Sources(), AugmentedCopies())


def mixed(
    original: Utterance, kind: str, sources: Sources, options: AugmentedCopies, seed: int = 0
) -> np.ndarray:
    cut = cut_of_copy(original, kind, sources, options, RATE, generator_of(seed, "x"))
    return cut.load_audio()[0]


def decibels(signal: np.ndarray, noise: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(signal**2) / np.mean(noise**2)))


def test_noises_follow_each_other_at_the_ratio_asked_for(tmp_path: Path) -> None:
    original, speech = make_original(tmp_path)
    white = 0.3 * np.random.default_rng(0).standard_normal(round(0.15 * RATE))
    options = AugmentedCopies(noise_snrs_db=(7,), noise_interval_s=0.1)
    sources = Sources(noise=[make_source(tmp_path / "noise.wav", white)])
    noise = mixed(original, "noise", sources, options) - speech
    assert len(noise) == 0.6 * RATE
    for start, stop, loud in ((0, 2400, True), (2400, 4000, False), (4000, 6400, True)):
        if loud:
            assert decibels(speech, noise[start:stop]) == pytest.approx(7, abs=0.01)
        else:
            assert np.abs(noise[start:stop]).max() == 0
    # The third begins at 0.5 s and is cut at the end.
    assert decibels(speech, noise[8000:]) == pytest.approx(7, abs=0.01)


def test_ratios_are_drawn_from_the_list(tmp_path: Path) -> None:
    original, speech = make_original(tmp_path)
    white = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    sources = Sources(noise=[make_source(tmp_path / "noise.wav", white)])
    options = AugmentedCopies(noise_snrs_db=(15, 0))
    found = {
        round(decibels(speech, mixed(original, "noise", sources, options, seed) - speech))
        for seed in range(12)
    }
    assert found == {0, 15}


@pytest.mark.parametrize("rate", [RATE, 8000])
@pytest.mark.parametrize("seconds", [0.25, 3])
def test_music_fills_the_utterance_repeated_or_from_some_place_on(
    seconds: float, rate: int, tmp_path: Path
) -> None:
    original, speech = make_original(tmp_path)
    tune = 0.2 * np.random.default_rng(0).standard_normal(round(seconds * rate))
    sources = Sources(music=[make_source(tmp_path / "tune.wav", tune, rate)])
    options = AugmentedCopies(music_snrs_db=(5,))
    music = mixed(original, "music", sources, options) - speech
    assert len(music) == len(speech)
    for part in np.split(music, 6):  # of 0.1 s: no pause anywhere
        assert decibels(speech, part) == pytest.approx(5, abs=1)
    if seconds == 3:
        other = mixed(original, "music", sources, options, seed=1) - speech
        assert np.abs(other - music).max() > 0.01  # another place
        assert decibels(speech, music) == pytest.approx(5, abs=0.01)


def test_babble_is_of_as_many_others_and_never_of_the_speaker(tmp_path: Path) -> None:
    original, speech = make_original(tmp_path)
    said = {
        name: [make_source(tmp_path / f"{name}-0.wav", make_speech(i, 0.5))]
        for i, name in enumerate(["anna", *(f"s{i}" for i in range(9))])
    }
    options = AugmentedCopies(babble_snrs_db=(20,))
    counts = set()
    for seed in range(30):
        cut = cut_of_copy(
            original, "babble", Sources(babble=said), options, RATE, generator_of(seed, "x")
        )
        assert isinstance(cut, MixedCut)
        heard = {track.cut.recording_id for track in cut.tracks[1:]}
        assert not any(name.startswith("anna") for name in heard)
        counts.add(len(heard))
        babble = cut.load_audio()[0] - speech
        # Each of n is 20 dB below the speech; together about 10 log n less.
        expected = 20 - 10 * np.log10(len(heard))
        assert decibels(speech, babble) == pytest.approx(expected, abs=2.5)
    assert counts == {3, 4, 5, 6, 7}
    few = Sources(babble={name: said[name] for name in ("anna", "s0", "s1")})
    assert np.abs(mixed(original, "babble", few, options) - speech).max() > 0


def test_a_room_is_a_convolution_from_the_direct_sound_on(tmp_path: Path) -> None:
    original, speech = make_original(tmp_path)
    response = np.zeros(1000)
    response[[200, 300]] = [0.8, 0.4]  # on the way for 200 samples, with an echo 100 later
    sources = Sources(reverberation=[make_source(tmp_path / "room.wav", response)])
    found = mixed(original, "reverberation", sources, AugmentedCopies())
    expected = speech + 0.5 * np.concatenate([np.zeros(100), speech[:-100]])
    expected *= np.sqrt(np.mean(speech**2) / np.mean(expected**2))  # the power is kept
    assert found == pytest.approx(expected, abs=2e-4)
    assert np.abs(found - speech).max() > 0.02


@pytest.mark.parametrize("speed", [0.9, 1.1])
def test_speed_changes_duration_and_pitch(speed: float, tmp_path: Path) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    original = make_source(tmp_path / "tone-1.wav", tone)
    found = mixed(original, str(speed), Sources(), AugmentedCopies())
    assert len(found) == pytest.approx(RATE / speed, abs=1)
    peak_hz = np.abs(np.fft.rfft(found)).argmax() * RATE / len(found)
    assert peak_hz == pytest.approx(1000 * speed, abs=2)


def test_volume_is_a_factor_of_the_range_for_any_kind(tmp_path: Path) -> None:
    original, speech = make_original(tmp_path)
    white = 0.3 * np.random.default_rng(0).standard_normal(RATE)
    sources = Sources(noise=[make_source(tmp_path / "noise.wav", white)])
    for kind in ("noise", "1.0"):
        plain = mixed(original, kind, sources, AugmentedCopies())
        factors = []
        for seed in range(20):
            plain = mixed(original, kind, sources, AugmentedCopies(), seed)
            changed = mixed(original, kind, sources, AugmentedCopies(volume=(0.125, 2)), seed)
            factor = float(np.sqrt(np.mean(changed**2) / np.mean(plain**2)))
            assert changed == pytest.approx(factor * plain, abs=1e-5)
            factors.append(factor)
        assert 0.125 <= min(factors) < 0.6
        assert 1.4 < max(factors) <= 2
    half = mixed(original, "1.0", Sources(), AugmentedCopies(volume=(0.5, 0.5)))
    assert half == pytest.approx(speech / 2, abs=1e-6)


def test_a_segment_is_mixed_alone(tmp_path: Path) -> None:
    whole = make_source(tmp_path / "anna-1.wav", make_speech(1, 1.0))
    part = Utterance(
        "anna-1-a", "anna", whole.entry, whole.info, segment=Segment("anna-1", 0.3, 0.7)
    )
    samples = mixed(whole, "1.0", Sources(), AugmentedCopies())
    response = np.zeros(100)
    response[5] = 0.5  # a delay alone, which is taken out
    sources = Sources(reverberation=[make_source(tmp_path / "room.wav", response)])
    found = mixed(part, "reverberation", sources, AugmentedCopies())
    assert found == pytest.approx(samples[round(0.3 * RATE) : round(0.7 * RATE)], abs=2 * STEP)


def test_a_cut_holds_the_first_channel_of_the_segment_at_the_rate(tmp_path: Path) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 500 * np.arange(8000) / 8000)
    write_audio(tmp_path / "a.wav", np.stack([tone, 0 * tone], axis=1), 8000)
    (item,) = read_folder([tmp_path], "--x", 1)
    part = Utterance("x-1", "x", item.entry, item.info, segment=Segment("a", 0.5, 1.02))
    samples = as_cut(part, RATE).load_audio()[0]  # ends where the recording does
    assert len(samples) == RATE / 2
    assert np.abs(samples).max() == pytest.approx(0.3, abs=0.02)
    assert np.abs(np.fft.rfft(samples)).argmax() == 250  # 500 Hz in half a second


@pytest.mark.parametrize("kind", ["0.9", "reverberation", "noise", "music", "babble"])
def test_copies_are_of_the_channel_that_is_heard(kind: str, tmp_path: Path) -> None:
    """Of both the utterance and the others in its babble; labelled with that channel."""
    sides = np.stack([make_speech(1, 0.6), make_speech(2, 0.6)], axis=1)
    path = write_audio(tmp_path / "call.wav", sides)
    call = Utterance("anna-1", "anna", wav_entry(path, read_info(path), 1), read_info(path))
    alone = replace(make_source(tmp_path / "alone.wav", sides[:, 1]), id="anna-1", speaker="anna")
    copies = []
    for original in (call, alone):
        found = []
        for i in range(3):
            other = np.stack([make_speech(5 + i), make_speech(9 + i)], axis=1)
            path = write_audio(tmp_path / f"{i}.wav", other if original is call else other[:, 1])
            info = read_info(path)
            entry = wav_entry(path, info, original.channel)
            found.append(Utterance(f"s{i}", f"s{i}", entry, info))
        sources = Sources(found, found, found, {item.id: [item] for item in found})
        if kind == "reverberation":
            sources = Sources([make_source(tmp_path / "room.wav", make_speech(30)[:999])])
        rng = generator_of(0, "x")
        cut = cut_of_copy(original, kind, sources, AugmentedCopies(), RATE, rng)
        copies.append(load_cut(cut))
        labelled = label(cut, replace(original, id="copy"))
        first = labelled.tracks[0].cut if isinstance(labelled, MixedCut) else labelled
        assert first.channel == first.supervisions[0].channel == original.channel
    np.testing.assert_array_equal(copies[0], copies[1])


def test_what_only_a_command_decodes_is_read_through_it(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.wav", make_speech(0))
    (item,) = read_folder([tmp_path], "--x", 1)
    piped = Utterance("a", "a", f"cat {path} |", item.info)
    assert np.array_equal(load_cut(as_cut(piped, RATE)), load_cut(as_cut(item, RATE)))
