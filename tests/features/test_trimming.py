"""Trimming to the first and last loud sample: exactly the frames of what is kept."""

from pathlib import Path

import lhotse
import numpy as np
import pytest
from lhotse import FeatureSet

from deep_speaker.config import Experiment, PythonSpeechFeatures, Trimming, read_experiment
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.features.python_speech_features import compute_filterbanks, count_frames
from deep_speaker.features.shards import analyse
from deep_speaker.features.source import FeatureSource, check_features
from deep_speaker.features.trimming import compute_trimmed, kept_samples
from deep_speaker.features.voice_activity import vad_options
from deep_speaker.kaldi.audio import load_audio
from deep_speaker.kaldi.tables import read_table
from support import kaldi_checks
from support.experiment_files import CONF
from support.speech import make_speech, write_audio
from support.stage_1_folders import BAD, audio_file, make_bad

EXPERIMENT = read_experiment(CONF / "deep_speaker_published.yaml")
FEATURES = PythonSpeechFeatures(front_end="python_speech_features")
OPTIONS = Trimming(detector="trimming")


def loud_part(num_samples: int, first: int, last: int) -> np.ndarray:
    """Noise between two loudest samples, and fainter noise around it; 16-bit scale."""
    rng = np.random.default_rng(num_samples + first)
    samples = rng.uniform(-1, 1, num_samples)
    samples[first : last + 1] *= 900
    samples[[first, last]] = 1000, -1000
    return samples.astype(np.float32)


def test_kept_samples_by_hand() -> None:
    """Of 21 amplitudes the percentile 90 is the third largest: two exceed it."""
    samples = np.zeros(21, dtype=np.float32)
    samples[[3, 7, 12, 15]] = -9, 5, 8, 7
    assert kept_samples(samples, Trimming(detector="trimming", percentile=90)) == (3, 12)
    assert kept_samples(samples, Trimming(detector="trimming", percentile=85)) == (3, 15)
    assert kept_samples(samples, Trimming(detector="trimming", percentile=50)) == (3, 15)


@pytest.mark.parametrize(
    ("num_samples", "first", "last"),
    [
        (16000, 0, 15999),
        (16000, 3201, 12000),
        (16000, 3360, 3360 + 400),
        (16000, 3361, 15999),
        (16159, 159, 16158),
        (16000, 15800, 15999),  # a single frame, at the end
        (16000, 15990, 15999),
        (900, 890, 899),
        (401, 0, 400),
        (300, 290, 299),
    ],
)
def test_voiced_frames_are_the_front_ends_of_what_is_kept(
    num_samples: int, first: int, last: int
) -> None:
    samples = loud_part(num_samples, first, last)
    # Between the second and the third loudest sample.
    options = Trimming(
        detector="trimming", percentile=100 * (num_samples - 2.5) / (num_samples - 1)
    )
    assert kept_samples(samples, options) == (first, last)
    frames, voiced = compute_trimmed(samples, FEATURES, options)
    kept, _ = compute_filterbanks(samples[first:last], FEATURES)
    assert len(frames) == len(voiced) == count_frames(num_samples, FEATURES)
    np.testing.assert_array_equal(frames[voiced > 0], kept)
    (places,) = np.nonzero(voiced)
    assert (np.diff(places) == 1).all()
    assert voiced.dtype == np.float32
    assert abs(places[0] - first / 160) < 1 or len(kept) == 1


def test_the_other_frames_lie_on_the_same_grid() -> None:
    samples = loud_part(16000, 3210, 12000)
    frames, voiced = compute_trimmed(samples, FEATURES, OPTIONS)
    first = kept_samples(samples, OPTIONS)[0]
    grid, _ = compute_filterbanks(samples[first % 160 :], FEATURES)
    others = np.flatnonzero(voiced == 0)
    others = others[others < len(grid)]
    np.testing.assert_array_equal(frames[others], grid[others])


@pytest.mark.parametrize("level", [0, 500])
def test_an_utterance_at_one_level_has_no_voiced_frame(level: float) -> None:
    frames, voiced = compute_trimmed(np.full(4000, level, np.float32), FEATURES, OPTIONS)
    assert len(frames) == len(voiced) == count_frames(4000, FEATURES)
    assert not voiced.any()


def test_a_majority_without_loud_samples_is_refused_with_a_remedy_that_helps(folder: Path) -> None:
    for number, key in enumerate(sorted(read_table(folder / "wav.scp"))):
        samples = 0.02 * make_speech(number) if number > 40 else np.zeros(4000)  # faint, or silent
        write_audio(audio_file(folder, key), samples)
    with pytest.raises(ValueError, match=r"silent: they are digital silence, .*remove") as error:
        compute_data_dir(folder, EXPERIMENT, 2)
    assert "41 of 80" in str(error.value)
    assert "energy_threshold" not in str(error.value)


def test_samples_that_are_no_numbers_are_refused() -> None:
    samples = make_speech(0) * 32768
    samples[100] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        analyse([samples], EXPERIMENT)


def test_stage_1_stores_exactly_what_the_source_computes(folder: Path) -> None:
    make_bad(folder)
    compute_data_dir(folder, EXPERIMENT, 2)
    assert read_table(folder / "bad_utterances").keys() == BAD.keys()
    assert kaldi_checks.validate(folder) == "valid"
    source = FeatureSource(folder, EXPERIMENT)
    for key, entry in read_table(folder / "wav.scp").items():
        samples = load_audio(entry, 16000)[0]
        first, last = kept_samples(samples, OPTIONS)
        expected, _ = compute_filterbanks(samples[first:last], FEATURES)
        # A scale of 1 and no mean change nothing.
        np.testing.assert_array_equal(source.read(source.whole(key)), expected)
    for item in FeatureSet.from_file(manifest_path(folder, "features")):
        lhotse.validate(item, read_data=True)
        assert item.type == "python_speech_features-fbank"


def test_features_trimmed_otherwise_are_refused(folder: Path) -> None:
    compute_data_dir(folder, EXPERIMENT, 2)
    check_features(folder, EXPERIMENT)
    content = EXPERIMENT.model_dump()
    for other in ({"detector": "trimming", "percentile": 90}, {"detector": "energy"}):
        experiment = Experiment.model_validate(content | {"voice_activity": other})
        with pytest.raises(ValueError, match=r"/vad\.conf .*stage 1"):
            check_features(folder, experiment)


def test_the_options_say_what_was_done_and_are_none_of_kaldi_s() -> None:
    text = vad_options(OPTIONS)
    assert "no program of Kaldi" in text
    assert text.splitlines()[-1] == "percentile=95"
    assert not text.startswith("--")
