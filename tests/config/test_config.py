"""Experiment files: what is given is read."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from deep_speaker.config import (
    AS_NORM,
    BACKENDS,
    Experiment,
    Fall,
    KaldiFilterbank,
    Plateau,
    Softmax,
    Step,
    Triplet,
    read_experiment,
)
from deep_speaker.config.networks import ResCNN
from deep_speaker.scoring.backends import FITTERS
from support.experiment_files import CONF, CONFIGS, EMBEDDED, TORCHAUDIO, edit


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_experiment_file_loads_with_its_own_values(path: Path) -> None:
    experiment = read_experiment(path)
    written = yaml.safe_load(path.read_text())
    written.pop("base", None)
    assert_contains(experiment.model_dump(mode="json"), written)


def assert_contains(loaded: Any, written: Any) -> None:
    if isinstance(written, dict):
        for key, value in written.items():
            assert_contains(loaded[key], value)
    else:
        assert loaded == written


def test_the_paper_s_numbers() -> None:
    experiment = read_experiment(CONF / "deep_speaker.yaml")
    assert experiment.finetuning is not None
    for phase in (experiment.first_phase, experiment.finetuning):
        assert phase.optimiser.momentum == 0.99
        assert isinstance(phase.schedule, Fall)
        assert (phase.schedule.initial, phase.schedule.final) == (0.05, 0.005)
        assert phase.schedule.shape == "linear"
    assert (experiment.first_phase.epochs, experiment.finetuning.epochs) == (10, 15)
    assert (experiment.first_phase.batch_size, experiment.finetuning.batch_size) == (64, 128)
    assert isinstance(experiment.first_phase.loss, Softmax)
    assert isinstance(experiment.finetuning.loss, Triplet)
    assert experiment.finetuning.loss.margin == 0.1
    assert experiment.features.num_mels == 64
    assert isinstance(experiment.network, ResCNN)
    assert experiment.network.channels == (64, 128, 256, 512)
    assert experiment.network.embedding_dim == 512


@pytest.mark.parametrize(
    "name",
    [
        "ge2e",
        "prototypical",
        "angular_prototypical",
        "softmax_prototypical",
        "triplet",
        "lossless_triplet",
        "contrastive",
    ],
)
def test_losses_of_pairs_need_two_utterances_of_two_speakers(tmp_path: Path, name: str) -> None:
    for key, missing in (
        ("utterances_per_speaker", "positive"),
        ("speakers_per_batch", "negative"),
    ):
        content = yaml.safe_load(edit(tmp_path, "finetuning.loss", {"name": name}).read_text())
        Experiment.model_validate(content)
        content["finetuning"][key] = 1
        with pytest.raises(
            ValueError, match=f"{key} 1 leaves the {name} loss without its {missing}"
        ):
            Experiment.model_validate(content)


def test_pairs_are_sampled_for_the_contrastive_loss(tmp_path: Path) -> None:
    content = yaml.safe_load(edit(tmp_path, "finetuning.sampling", "pairs").read_text())
    content["finetuning"]["loss"] = {"name": "contrastive"}
    finetuning = Experiment.model_validate(content).finetuning
    assert finetuning is not None
    assert finetuning.sampling == "pairs"


def test_the_front_ends_count_their_columns(tmp_path: Path) -> None:
    columns = {
        "kaldi": ({}, 64),
        "mels": (TORCHAUDIO, 40),
        "spectrum": (TORCHAUDIO | {"num_mels": None}, 257),
        "short": (TORCHAUDIO | {"num_mels": None, "fft_length": 400}, 201),
    }
    for options, num_bins in columns.values():
        features = read_experiment(edit(tmp_path, "features", options)).features
        assert features.num_bins == num_bins
        assert features.log


def test_features_without_logarithm_may_be_masked(tmp_path: Path) -> None:
    path = edit(tmp_path, "features", TORCHAUDIO | {"log": False, "compression": "none"})
    content = yaml.safe_load(path.read_text())
    for phase in ("pretraining", "finetuning"):
        content[phase]["augmentation"] = {"frequency_mask_bins": 3, "time_mask_frames": 3}
    assert not Experiment.model_validate(content).features.log
    content["finetuning"]["augmentation"] = {"noise_probability": 0.1}
    with pytest.raises(ValueError, match=r"finetuning\.augmentation: .* takes no logarithm"):
        Experiment.model_validate(content)


def test_the_network_normalises_where_the_chunk_is_named(tmp_path: Path) -> None:
    chunk = {"mean": "chunk", "scale": "chunk"}
    assert read_experiment(edit(tmp_path, "normalisation", chunk)).normalisation.inside_network
    for other in ({}, {"mean": "none", "scale": 3}):
        options = read_experiment(edit(tmp_path, "normalisation", other)).normalisation
        assert not options.inside_network


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"initial": 0.1}, Fall),
        ({"shape": "linear"}, Fall),
        ({"shape": "cosine", "final": 0}, Fall),
        ({"shape": "step", "factor": 0.95, "every_epochs": 10}, Step),
        ({"shape": "plateau", "warmup_share": 0.1}, Plateau),
    ],
)
def test_schedules_are_told_apart_by_their_shape(
    tmp_path: Path, value: dict[str, Any], kind: type
) -> None:
    schedule = read_experiment(edit(tmp_path, "pretraining.schedule", value)).first_phase.schedule
    assert type(schedule) is kind
    assert {name: getattr(schedule, name) for name in value} == value


def test_a_window_average_has_the_size_of_its_base(tmp_path: Path) -> None:
    base = {"name": "gru", "embedding_dim": 100}
    path = edit(tmp_path, "network", {"name": "window_average", "base": base})
    assert read_experiment(path).network.embedding_dim == 100


def test_an_experiment_may_end_after_pretraining(tmp_path: Path) -> None:
    assert read_experiment(edit(tmp_path, "finetuning", None)).finetuning is None


def test_crops_are_scored_by_their_distances(tmp_path: Path) -> None:
    path = edit(tmp_path, "scoring", {"backends": ["crop_distance", "cosine"]})
    content = yaml.safe_load(path.read_text()) | {"extraction": {"method": "crops"}}
    path.write_text(yaml.safe_dump(content))
    experiment = read_experiment(path)
    assert experiment.scoring.backends == ("crop_distance", "cosine")
    assert (experiment.extraction.num_crops, experiment.extraction.crop_frames) == (10, 300)


def test_without_a_section_scores_are_cosines(tmp_path: Path) -> None:
    path = edit(tmp_path, "scoring", {})
    scoring = read_experiment(path).scoring
    assert (scoring.backends, scoring.lda_dim, scoring.cohort_size) == (("cosine",), 150, 300)
    content = yaml.safe_load(path.read_text())
    del content["scoring"]
    path.write_text(yaml.safe_dump(content))
    assert read_experiment(path).scoring == scoring


def test_every_back_end_may_be_asked_for(tmp_path: Path) -> None:
    """Each of those that can be fitted has a partner with adaptive s-norm."""
    backends = [name for name in BACKENDS if name != "crop_distance"]
    assert read_experiment(edit(tmp_path, "scoring.backends", backends)).scoring.backends == tuple(
        backends
    )
    assert set(backends) == {*FITTERS, *(name + AS_NORM for name in FITTERS)}


def test_the_highest_edge_may_be_half_the_sampling_rate() -> None:
    assert KaldiFilterbank(sampling_rate=8000, high_freq=4000).high_freq == 4000
    assert (
        KaldiFilterbank(sampling_rate=8000, high_freq=0).high_freq == 0
    )  # Kaldi: 0 below the half


def test_values_never_change() -> None:
    experiment = read_experiment(EMBEDDED)
    with pytest.raises(ValueError, match="frozen"):
        experiment.features.num_mels = 40


def test_defaults_need_only_a_loss() -> None:
    experiment = Experiment.model_validate({"pretraining": {"loss": {"name": "softmax"}}})
    assert experiment.finetuning is None
    assert experiment.network.name == "rescnn"
    assert isinstance(experiment.first_phase.schedule, Fall)
    assert experiment.features == KaldiFilterbank()
    assert experiment.extraction.method == "whole"
