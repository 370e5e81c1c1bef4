"""The floor without a network: what the statistics with and without the mean can tell apart."""

from itertools import combinations
from pathlib import Path

import kaldiio
import numpy as np
import pytest

import extract_statistics as extract_statistics_command
from deep_speaker.corpora.speaker_splits import split_speakers
from deep_speaker.embeddings.channel_floor import (
    extract_statistics,
    fit_projection,
    section_statistics,
)
from deep_speaker.features.source import FeatureSource, Section
from deep_speaker.kaldi.tables import read_table
from deep_speaker.metrics.error_rates import equal_error_rate, error_rates
from support.tiny_data import MELS, make_experiment, write_experiment, write_features

TINY = make_experiment()


def make_speakers(
    num_speakers: int, num_utterances: int, seed: int, mean: float, deviation: float
) -> dict[str, np.ndarray]:
    """Speakers whose frames' means and log deviations differ by so much."""
    rng = np.random.default_rng(seed)
    frames = {}
    for speaker in range(num_speakers):
        centre = rng.normal(0, mean, MELS)
        spread = np.exp(rng.normal(0, deviation, MELS))
        for i in range(num_utterances):
            noise = rng.normal(0, 1, (100, MELS))
            frames[f"s{speaker:02}-{i}"] = (8 + centre + spread * noise).astype(np.float32)
    return frames


def find_error(folder: Path) -> float:
    """The EER of all pairs of an x-vector directory."""
    vectors = dict(kaldiio.load_scp(str(folder / "xvector.scp")))
    pairs = list(combinations(vectors, 2))
    scores = np.array([vectors[a] @ vectors[b] for a, b in pairs])
    is_target = np.array([a.split("-")[0] == b.split("-")[0] for a, b in pairs])
    return equal_error_rate(error_rates(scores, is_target))


def errors_of(tmp_path: Path, num_utterances: int, mean: float, deviation: float) -> list[float]:
    """EER of unseen speakers, with and without the mean."""
    train = make_speakers(20, num_utterances, 0, mean, deviation)
    test = make_speakers(8, 4, 1, mean, deviation)
    write_features(tmp_path / "train", train, TINY)
    write_features(tmp_path / "test", test, TINY)
    errors = []
    for with_mean in (True, False):
        output = tmp_path / f"with_mean_{with_mean}"
        extract_statistics(tmp_path / "train", tmp_path / "test", output, TINY, with_mean)
        errors.append(find_error(output / "xvectors_test"))
    return errors


@pytest.mark.parametrize("num_utterances", [1, 5])
def test_speakers_that_differ_by_their_mean_are_told_apart_by_it_alone(
    num_utterances: int, tmp_path: Path
) -> None:
    with_mean, without = errors_of(tmp_path, num_utterances, mean=1, deviation=0)
    assert with_mean < 0.02
    assert without > 0.35


@pytest.mark.parametrize("num_utterances", [1, 5])
def test_speakers_that_differ_by_their_deviation_are_told_apart_either_way(
    num_utterances: int, tmp_path: Path
) -> None:
    with_mean, without = errors_of(tmp_path, num_utterances, mean=0, deviation=0.5)
    assert with_mean < 0.05
    assert without < 0.02


def test_speakers_that_do_not_differ_are_not_told_apart(tmp_path: Path) -> None:
    """Fitted on the training speakers only: the test speakers show no gain by it."""
    for error in errors_of(tmp_path, 5, mean=0, deviation=0):
        assert 0.35 < error < 0.65


def test_statistics_are_of_the_voiced_frames_as_stored(tmp_path: Path) -> None:
    frames = {"a-1": np.random.default_rng(0).normal(8, 2, (30, MELS)).astype(np.float32)}
    voiced = {"a-1": np.arange(30) % 3 > 0}
    experiment = make_experiment(normalisation={"mean": "utterance", "scale": "utterance"})
    source = FeatureSource(write_features(tmp_path / "d", frames, experiment, voiced), experiment)
    chosen = frames["a-1"][voiced["a-1"]][4:14]
    section = Section("a-1", 4, 14)
    deviation = np.sqrt(((chosen - chosen.mean(axis=0)) ** 2).mean(axis=0))
    assert section_statistics(source, section, False) == pytest.approx(deviation, abs=1e-5)
    both = section_statistics(source, section, True)
    assert both == pytest.approx(np.concatenate([chosen.mean(axis=0), deviation]), abs=1e-5)


def test_energies_without_logarithm_give_the_statistics_of_their_logarithm(tmp_path: Path) -> None:
    frames = {"a-1": np.exp(np.random.default_rng(0).normal(-5, 4, (30, MELS))).astype(np.float32)}
    options = {"front_end": "torchaudio", "log": False, "compression": "none"}
    experiment = make_experiment(
        features=options, pretraining={"augmentation": {"time_mask_frames": 4}}
    )
    source = FeatureSource(write_features(tmp_path / "d", frames, experiment), experiment)
    logarithm = np.log(frames["a-1"].astype(np.float64) + 1e-6)
    both = section_statistics(source, source.whole("a-1"), True)
    expected = np.concatenate([logarithm.mean(axis=0), logarithm.std(axis=0)])
    assert both == pytest.approx(expected, abs=1e-4)


def test_standardised_frames_give_the_statistics_of_themselves(tmp_path: Path) -> None:
    frames = {"a-1": np.random.default_rng(0).normal(0, 1, (30, MELS)).astype(np.float32)}
    options = {"front_end": "python_speech_features", "compression": "none"}
    experiment = make_experiment(
        features=options, pretraining={"augmentation": {"time_mask_frames": 4}}
    )
    source = FeatureSource(write_features(tmp_path / "d", frames, experiment), experiment)
    both = section_statistics(source, source.whole("a-1"), True)
    expected = np.concatenate([frames["a-1"].mean(axis=0), frames["a-1"].std(axis=0)])
    assert both == pytest.approx(expected, abs=1e-5)


def test_lda_ignores_units_and_weighs_directions_by_what_they_tell() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 8)
    telling = rng.normal(0, 1, 10)[labels] + rng.normal(0, 0.1, 80)
    vectors = np.stack([1e-4 * telling, rng.normal(0, 1e4, 80)], axis=1)
    projected = fit_projection(vectors, [f"s{label}" for label in labels])(vectors)
    assert abs(np.corrcoef(projected[:, 0], telling)[0, 1]) > 0.999


def test_directories_hold_every_utterance_at_unit_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command, which writes both variants of both sets."""
    for name, seed in (("train", 0), ("test", 1)):
        write_features(tmp_path / name, make_speakers(7, 3, seed, 1, 0.3), TINY)
    config = write_experiment(tmp_path / "tiny.yaml", TINY)
    options = ["--config", str(config), str(tmp_path / "train"), str(tmp_path / "test")]
    monkeypatch.setattr("sys.argv", ["extract_statistics.py", *options, str(tmp_path / "exp")])
    extract_statistics_command.main()
    for variant in ("statistics", "statistics_no_mean"):
        for name in ("train", "test"):
            folder = tmp_path / "exp" / variant / f"xvectors_{name}"
            vectors = dict(kaldiio.load_scp(str(folder / "xvector.scp")))
            assert list(vectors) == list(read_table(tmp_path / name / "utt2spk"))
            for vector in vectors.values():
                assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
                assert vector.shape == (3,)  # 3 of 7 training speakers are held out
            assert len(read_table(folder / "spk_xvector.scp")) == 7


def test_held_out_speakers_do_not_change_the_projection(tmp_path: Path) -> None:
    """They have vectors, and calibrate their scores."""
    train, test = make_speakers(7, 3, 0, 1, 0.3), make_speakers(3, 2, 1, 1, 0.3)
    utt2spk = {key: key.split("-")[0] for key in train}
    training, held_out = split_speakers(utt2spk, TINY.held_out, TINY.seed)
    write_features(tmp_path / "test", test, TINY)

    def vectors(name: str, moved: str | None) -> dict[str, np.ndarray]:
        frames = {key: 3 + 2 * v if key[:3] == moved else v for key, v in train.items()}
        write_features(tmp_path / name, frames, TINY)
        extract_statistics(tmp_path / name, tmp_path / "test", tmp_path / f"{name}_x", TINY, True)
        tables = [f"{tmp_path}/{name}_x/xvectors_{part}/xvector.scp" for part in ("test", "train")]
        assert list(kaldiio.load_scp(tables[1])) == list(train)
        return dict(kaldiio.load_scp(tables[0]))

    plain, changed, other = vectors("a", None), vectors("b", held_out[0]), vectors("c", training[0])
    assert all(np.array_equal(changed[key], plain[key]) for key in plain)
    assert not any(np.allclose(other[key], plain[key], atol=1e-3) for key in plain)
