"""Experiment files: what is given is read, and everything else is an error that says where."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deep_speaker.config import Experiment, Features, Softmax, Triplet, read_experiment

CONF = Path(__file__).parents[1] / "conf"


def edit(tmp_path: Path, key: str, value: object) -> Path:
    """A copy of embedded.yaml with one dotted key set."""
    content: dict[str, Any] = yaml.safe_load((CONF / "embedded.yaml").read_text())
    section = content
    *parents, last = key.split(".")
    for parent in parents:
        section = section[parent]
    section[last] = value
    path = tmp_path / "edited.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_file_loads_with_its_own_values(path: Path) -> None:
    experiment = read_experiment(path)
    written = yaml.safe_load(path.read_text())
    assert_contains(experiment.model_dump(mode="json"), written)


def assert_contains(loaded: Any, written: Any) -> None:
    if isinstance(written, dict):
        for key, value in written.items():
            assert_contains(loaded[key], value)
    else:
        assert loaded == written


def test_the_paper_s_numbers() -> None:
    experiment = read_experiment(CONF / "deep_speaker.yaml")
    for phase in (experiment.pretraining, experiment.finetuning):
        assert phase.optimiser.momentum == 0.99
        assert (phase.schedule.initial, phase.schedule.final) == (0.05, 0.005)
        assert phase.schedule.shape == "linear"
    assert (experiment.pretraining.epochs, experiment.finetuning.epochs) == (10, 15)
    assert (experiment.pretraining.batch_size, experiment.finetuning.batch_size) == (64, 128)
    assert isinstance(experiment.pretraining.loss, Softmax)
    assert isinstance(experiment.finetuning.loss, Triplet)
    assert experiment.finetuning.loss.margin == 0.1
    assert experiment.features.num_mels == 64
    assert experiment.network.channels == (64, 128, 256, 512)
    assert experiment.network.embedding_dim == 512


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("fetures", "features"),
        ("features.num_mel", "num_mels"),
        ("network.chanels", "channels"),
        ("pretraining.epoch", "epochs"),
        ("finetuning.loss.margins", "margin"),
        ("pretraining.augmentation.equalizer_db", "equaliser_db"),
    ],
)
def test_an_unknown_key_names_itself_and_the_nearest_one(
    tmp_path: Path, key: str, near: str
) -> None:
    path = edit(tmp_path, key, 3)
    with pytest.raises(ValueError, match="unknown key") as caught:
        read_experiment(path)
    assert f"{path}: " in str(caught.value)
    assert f"{key}: unknown key; did you mean {near}?" in str(caught.value)


def test_an_unknown_key_unlike_all_others_names_only_itself(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"features\.zzzzzz: unknown key$"):
        read_experiment(edit(tmp_path, "features.zzzzzz", 3))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("features.num_mels", "many"),
        ("features.num_mels", 2.5),
        ("features.num_mels", 0),
        ("features.num_mels", None),
        ("features.num_mels", True),  # YAML's `yes`
        ("features.compression", "one_byte"),
        ("voice_activity.proportion", 1.5),
        ("voice_activity.energy_threshold", float("nan")),
        ("normalisation.scale", "uterance"),
        ("normalisation.scale", -1),
        ("network.name", "resnet"),
        ("network.channels", 64),
        ("network.channels", []),
        ("held_out.segments_per_speaker", 1),
        ("pretraining.loss", {"name": "softmx"}),
        ("pretraining.optimiser.name", "adam"),
        ("pretraining.schedule.shape", "step"),
        ("pretraining.augmentation.noise_snr_db", [1, 2, 3]),
        ("finetuning.loss.negatives", ["easy"]),
        ("finetuning.epochs", -1),
        ("seed", -1),
    ],
)
def test_a_wrong_value_is_named_with_its_key(tmp_path: Path, key: str, value: object) -> None:
    path = edit(tmp_path, key, value)
    with pytest.raises(ValueError, match=re.escape(key)) as caught:
        read_experiment(path)
    assert f"got {value!r}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("finetuning.utterances_per_speaker", 1, "utterances_per_speaker 1"),
        ("finetuning.speakers_per_batch", 1, "speakers_per_batch 1"),
        ("features.high_freq", 8001, "high_freq 8001"),
        ("features.low_freq", 7600, "low_freq 7600"),
        ("features.frame_shift_ms", 0.01, "frame_shift_ms 0.01"),  # seconds: less than a sample
        ("features.frame_length_ms", 0.025, "frame_length_ms 0.025"),
    ],
)
def test_values_that_cannot_go_together_are_refused(
    tmp_path: Path, key: str, value: float, told: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        read_experiment(edit(tmp_path, key, value))
    assert f"{key.split('.')[0]}: " in str(caught.value)


def test_the_highest_edge_may_be_half_the_sampling_rate() -> None:
    assert Features(sampling_rate=8000, high_freq=4000).high_freq == 4000
    assert Features(sampling_rate=8000, high_freq=0).high_freq == 0  # Kaldi: 0 below the half


def test_values_never_change() -> None:
    experiment = read_experiment(CONF / "embedded.yaml")
    with pytest.raises(ValueError, match="frozen"):
        experiment.features.num_mels = 40


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("features: [\n", "not YAML"),
        ("", "expected keys and values"),
        ("embedded\n", "expected keys and values, found 'embedded'"),
        ("seed: 1\n", "pretraining: missing; finetuning: missing"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(content)
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        read_experiment(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_points_to_conf(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nothing\.yaml: no such experiment file; see conf/"):
        read_experiment(tmp_path / "nothing.yaml")


def test_a_key_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text((CONF / "embedded.yaml").read_text() + "\nseed: 3\n")
    with pytest.raises(ValueError, match="seed"):
        read_experiment(path)


def test_defaults_need_only_the_two_losses() -> None:
    phase = {"loss": {"name": "softmax"}}
    experiment = Experiment.model_validate({"pretraining": phase, "finetuning": phase})
    assert experiment.features == Features()
    assert experiment.extraction.method == "whole"
