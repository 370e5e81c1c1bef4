"""The judge: its held-out speakers, and their verification error by a transparent network."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from deep_speaker.features.source import FeatureSource
from deep_speaker.kaldi.tables import write_table
from deep_speaker.metrics.error_rates import equal_error_rate, error_rates
from deep_speaker.networks.speaker_network import EmbeddingNetwork
from deep_speaker.training.judge import Judge
from support.tiny_data import MELS, make_experiment, make_frames, write_features

CPU = torch.device("cpu")


def test_copies_of_held_out_speakers_are_not_judged(tmp_path: Path) -> None:
    experiment = make_experiment()
    frames = make_frames(4, 2)
    folder = write_features(
        tmp_path / "d", frames | {f"{key}-noise": frames[key] for key in frames}, experiment
    )
    copies = {f"{key}-noise": key for key in frames}
    write_table(folder / "utt2uniq", {key: key for key in frames} | copies)
    judge = Judge(FeatureSource(folder, experiment), ["s00", "s03"], experiment)
    assert [part.utterance for part in judge.sections] == ["s00-0", "s00-1", "s03-0", "s03-1"]


class FirstFrames(EmbeddingNetwork):
    """The mean of the frames as an embedding."""

    fewest_frames = 1

    def forward(self, fbanks: Tensor) -> Tensor:
        assert not self.training
        return fbanks.mean(dim=1)


def test_error_and_cosine_are_those_of_all_pairs(tmp_path: Path) -> None:
    experiment = make_experiment(
        normalisation={"mean": "none", "scale": 1}, held_out={"segments_per_speaker": 3}
    )
    frames = make_frames(5, 4)
    for key, values in frames.items():  # a direction per speaker, so that the error is no chance
        values -= 8
        values[:, int(key[1:3])] += 1.5
    source = FeatureSource(write_features(tmp_path / "d", frames, experiment), experiment)
    speakers = ["s01", "s02", "s04"]
    judge = Judge(source, speakers, experiment)
    found, mean_cosine = judge.evaluate(judge.embed(FirstFrames().train(), CPU, "float32"))

    kept = [f"{speaker}-{i}" for speaker in speakers for i in range(3)]
    means = {key: frames[key].mean(axis=0, dtype=np.float64) for key in kept}
    scores, is_target = [], []
    for first, second in combinations(kept, 2):
        a, b = means[first], means[second]
        scores.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        is_target.append(first[:3] == second[:3])
    assert len(scores) == 36
    assert sum(is_target) == 9
    assert mean_cosine == pytest.approx(np.mean(scores), abs=1e-5)
    expected = equal_error_rate(error_rates(np.array(scores), np.array(is_target)))
    assert 0 < expected < 0.5
    assert found == pytest.approx(expected, abs=1e-6)


def test_speakers_that_do_not_overlap_have_no_error_also_by_parts_of_one_utterance(
    tmp_path: Path,
) -> None:
    experiment = make_experiment(
        normalisation={"mean": "none", "scale": 1},
        held_out={"segments_per_speaker": 20},
        pretraining={"chunk_frames": 10},
    )
    frames = {f"s{i}-0": np.zeros((50, MELS), np.float32) for i in range(3)}
    for i in range(3):
        frames[f"s{i}-0"][:, i] = 1
    source = FeatureSource(write_features(tmp_path / "d", frames, experiment), experiment)
    judge = Judge(source, ["s0", "s1", "s2"], experiment)
    assert len(judge.sections) == 3 * 5
    error, mean_cosine = judge.evaluate(judge.embed(FirstFrames(), CPU, "float32"))
    assert error == 0
    assert mean_cosine == pytest.approx(3 * 10 / 105)  # pairs within speakers, of all
