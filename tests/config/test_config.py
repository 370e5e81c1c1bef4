"""Experiment files: what is given is read, and everything else is an error that says where."""

import re
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

CONF = Path(__file__).parents[2] / "conf"


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
    assert experiment.finetuning is not None
    for phase in (experiment.pretraining, experiment.finetuning):
        assert phase.optimiser.momentum == 0.99
        assert isinstance(phase.schedule, Fall)
        assert (phase.schedule.initial, phase.schedule.final) == (0.05, 0.005)
        assert phase.schedule.shape == "linear"
    assert (experiment.pretraining.epochs, experiment.finetuning.epochs) == (10, 15)
    assert (experiment.pretraining.batch_size, experiment.finetuning.batch_size) == (64, 128)
    assert isinstance(experiment.pretraining.loss, Softmax)
    assert isinstance(experiment.finetuning.loss, Triplet)
    assert experiment.finetuning.loss.margin == 0.1
    assert experiment.features.num_mels == 64
    assert isinstance(experiment.network, ResCNN)
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
        ("network.pooling", "mean"),
        ("pretraining.loss", 3),
        ("pretraining.optimiser.name", "adagrad"),
        ("pretraining.schedule", "cosine"),
        ("pretraining.schedule.shape", "stairs"),
        ("pretraining.sampling", "even"),
        ("scoring.backends", "cosine"),
        ("scoring.lda_dim", 0),
        ("scoring.cohort_size", 1),  # which has no deviation
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


# Sections of which there are kinds: front ends, networks, losses, schedules

LOSSES = (
    "'softmax', 'am_softmax', 'aam_softmax', 'ge2e', 'prototypical', 'angular_prototypical', "
    "'triplet', 'lossless_triplet', 'contrastive'"
)
BASES = "'rescnn', 'gru', 'resnetse34', 'resnetse34l', 'vggvox40', 'tdnn'"
TORCHAUDIO = {"front_end": "torchaudio"}


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("pretraining.loss.name", "softmx", f"expected {LOSSES}, got 'softmx'"),
        ("network.name", "resnet", f"expected {BASES}, 'window_average', got 'resnet'"),
        ("network", {"name": "window_average"}, "network.base: missing"),
        ("network", {"name": "window_average", "base": {}}, "network.base.name: missing"),
        (
            "network",
            {"name": "window_average", "base": {"name": "window_average"}},
            f"network.base.name: expected {BASES}, got 'window_average'",
        ),
        ("network", {"channels": [8]}, "network.name: missing"),
        ("features.front_end", "mfcc", "expected 'kaldi', 'torchaudio', got 'mfcc'"),
        ("pretraining.schedule.shape", "stairs",
         "expected 'linear', 'cosine', 'step', 'plateau', got 'stairs'"),
    ],
)  # fmt: skip
def test_a_kind_that_there_is_not_names_those_that_there_are(
    tmp_path: Path, key: str, value: object, line: str
) -> None:
    path = edit(tmp_path, key, value)
    with pytest.raises(ValueError, match=re.escape(line)) as caught:
        read_experiment(path)
    expected = line if line.startswith("network") else f"{key}: {line}"
    assert str(caught.value) == f"{path}: {expected}"


@pytest.mark.parametrize(
    ("section", "value", "line"),
    [
        ("features", TORCHAUDIO | {"low_freq": 20}, "features.low_freq: unknown key in this place"),
        ("features", TORCHAUDIO | {"windw": "hann"},
         "features.windw: unknown key; did you mean window?"),
        ("features", TORCHAUDIO | {"power": 3}, "features.power: Input should be 1 or 2, got 3"),
        ("features", TORCHAUDIO | {"fft_length": 256},
         "features: fft_length 256 is less than a frame of 25 ms, which has 400 samples"),
        ("features", TORCHAUDIO | {"log": False},
         "features: log false with compression two_byte, the default: its equal steps would wipe "
         "out the small values; set compression to none"),
        ("features", TORCHAUDIO | {"log": False, "compression": "none"},
         "pretraining.augmentation: equaliser_db and noise_probability are of log features: set "
         "both to 0 where features.log is false"),
        ("features", 3, "features: expected keys and values, got 3"),
        ("normalisation", {"mean": "chunk"},
         "normalisation: mean chunk, scale utterance: chunk goes for both or for neither"),
        ("normalisation", {"mean": "utterance", "scale": "chunk"},
         "normalisation: mean utterance, scale chunk: chunk goes for both or for neither"),
        ("pretraining.loss", {"name": "aam_softmax", "margin_from": 0.5, "margin_to": 0.25},
         "pretraining.loss: margin_from 0.5 lies after margin_to 0.25"),
        ("pretraining.loss", {"name": "softmax", "scale": 20, "hidden_dims": [512]},
         "pretraining.loss: scale 20 with hidden_dims [512]: scaled cosines are of the embedding "
         "itself; leave one of them out"),
        ("pretraining.schedule", {"shape": "step", "final": 0},
         "pretraining.schedule.final: unknown key in this place"),
        ("pretraining.schedule", {"shape": "plateau", "factor": 2},
         "pretraining.schedule.factor: Input should be less than or equal to 1, got 2"),
        ("pretraining.sampling", "pairs",
         "pretraining: sampling pairs is for the contrastive loss, not for softmax"),
        ("pretraining.pieces_per_chunk", 3,
         "pretraining: chunk_frames 160 is not a multiple of pieces_per_chunk 3"),
        ("finetuning.patience", 3,
         "finetuning.patience 3: leave it out, as the control has to have the same number of "
         "steps"),
        ("extraction.scoring", "cosine", "extraction.scoring: unknown key in this place"),
        ("scoring.backends", ["cosine", "crop_distance"],
         "scoring.backends: crop_distance needs extraction.method crops"),
        ("scoring.backends", [],
         "scoring.backends: at least one back end is needed, each named once"),
        ("scoring.backends", ["plda", "cosine", "plda"],
         "scoring.backends: at least one back end is needed, each named once"),
        ("scoring.backends", ["cosine", "crop_distance_as_norm"],
         "scoring.backends.1: Input should be 'crop_distance', 'cosine', 'centred_cosine', 'lda', "
         "'plda', 'cosine_as_norm', 'centred_cosine_as_norm', 'lda_as_norm' or 'plda_as_norm', got "
         "'crop_distance_as_norm'"),
        ("scoring.cohort", 300, "scoring.cohort: unknown key; did you mean cohort_size?"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_said_in_one_line(
    tmp_path: Path, section: str, value: object, line: str
) -> None:
    path = edit(tmp_path, section, value)
    with pytest.raises(ValueError, match=re.escape(line)) as caught:
        read_experiment(path)
    assert str(caught.value) == f"{path}: {line}"


@pytest.mark.parametrize(
    "name",
    ["ge2e", "prototypical", "angular_prototypical", "triplet", "lossless_triplet", "contrastive"],
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
    with pytest.raises(ValueError, match=r"finetuning\.augmentation: .* features\.log is false"):
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
    schedule = read_experiment(edit(tmp_path, "pretraining.schedule", value)).pretraining.schedule
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
    experiment = read_experiment(CONF / "embedded.yaml")
    with pytest.raises(ValueError, match="frozen"):
        experiment.features.num_mels = 40


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("features: [\n", "not YAML"),
        ("", "expected keys and values"),
        ("embedded\n", "expected keys and values, found 'embedded'"),
        ("seed: 1\n", "pretraining: missing"),
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


def test_defaults_need_only_a_loss() -> None:
    experiment = Experiment.model_validate({"pretraining": {"loss": {"name": "softmax"}}})
    assert experiment.finetuning is None
    assert experiment.network.name == "rescnn"
    assert isinstance(experiment.pretraining.schedule, Fall)
    assert experiment.features == KaldiFilterbank()
    assert experiment.extraction.method == "whole"
