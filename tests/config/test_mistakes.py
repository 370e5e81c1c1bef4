"""Wrong experiment files: each mistake is one line that says where it is and what would do."""

from pathlib import Path

import pytest

from support.experiment_files import EMBEDDED, TORCHAUDIO, edit, refusal, refusal_in, write

# Ten thousand million values in a few lines, each ten times the one before.
LAUGHS = "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


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
    said = refusal_in(edit(tmp_path, key, 3))
    assert said == f"{key}: unknown key; did you mean {near}?"


def test_an_unknown_key_unlike_all_others_names_only_itself(tmp_path: Path) -> None:
    assert refusal_in(edit(tmp_path, "features.zzzzzz", 3)) == "features.zzzzzz: unknown key"


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
    said = refusal_in(edit(tmp_path, key, value))
    assert said.startswith(key)
    assert f"got {value!r}" in said


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
    said = refusal_in(edit(tmp_path, key, value))
    assert said.startswith(f"{key.split('.')[0]}: ")
    assert told in said


# Sections of which there are kinds: front ends, networks, losses, schedules

LOSSES = (
    "'softmax', 'am_softmax', 'aam_softmax', 'ge2e', 'prototypical', 'angular_prototypical', "
    "'softmax_prototypical', 'triplet', 'lossless_triplet', 'contrastive', 'distillation'"
)
BASES = "'rescnn', 'gru', 'resnetse34', 'resnetse34l', 'vggvox40', 'tdnn', 'ecapa_tdnn'"


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
        ("features.front_end", "mfcc",
         "expected 'kaldi', 'torchaudio', 'speechbrain', 'python_speech_features', got 'mfcc'"),
        ("voice_activity.detector", "webrtc", "expected 'energy', 'trimming', got 'webrtc'"),
        ("pretraining.schedule.shape", "stairs",
         "expected 'linear', 'cosine', 'step', 'plateau', got 'stairs'"),
    ],
)  # fmt: skip
def test_a_kind_that_there_is_not_names_those_that_there_are(
    tmp_path: Path, key: str, value: object, line: str
) -> None:
    expected = line if line.startswith("network") else f"{key}: {line}"
    assert refusal_in(edit(tmp_path, key, value)) == expected


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
         "both to 0 where the front end takes no logarithm"),
        ("features", 3, "features: expected keys and values, got 3"),
        ("features", {"front_end": "python_speech_features", "fft_length": 256},
         "features: fft_length 256 is less than a frame of 25 ms, which has 400 samples"),
        ("voice_activity", {"detector": "trimming"},
         "voice_activity.detector trimming with features.front_end kaldi: only the frames of "
         "python_speech_features begin at the first sample that is kept; set detector to energy, "
         "or that front end"),
        ("voice_activity", {"detector": "trimming", "energy_threshold": 5.5},
         "voice_activity.energy_threshold: unknown key in this place"),
        ("voice_activity", {"detector": "trimming", "percentile": 100},
         "voice_activity.percentile: Input should be less than 100, got 100"),
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
        ("distillation", {"loss": {"name": "softmax"}},
         "distillation.loss.name softmax: the loss of the section distillation is distillation, "
         "which no other section has"),
        ("pretraining.loss", {"name": "distillation"},
         "pretraining.loss.name distillation: the loss of the section distillation is "
         "distillation, which no other section has"),
        ("distillation", {"loss": {"name": "distillation"}, "pieces_per_chunk": 2},
         "distillation: pieces_per_chunk 2: a stitched chunk has no embedding by the teacher: set "
         "it to 1"),
        ("distillation", {"loss": {"name": "distillation", "classification": {"name": "ge2e"}}},
         "distillation.loss.classification.name: expected 'softmax', 'am_softmax', 'aam_softmax', "
         "got 'ge2e'"),
        ("pretraining", None,
         "pretraining: missing, or null: give it, or distillation"),
        ("finetuning.patience", 3,
         "finetuning.patience 3: leave it out, as the control has to have the same number of "
         "steps"),
        ("extraction.scoring", "cosine", "extraction.scoring: unknown key in this place"),
        ("scoring.backends", ["cosine", "crop_distance"],
         "scoring.backends: crop_distance needs extraction.method crops or sample_crops"),
        ("extraction.method", "sample_crops",
         "extraction.method sample_crops needs normalisation.mean and scale chunk: set these, or "
         "the method to crops"),
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
    assert refusal_in(edit(tmp_path, section, value)) == line


@pytest.mark.parametrize(
    ("content", "place", "told"),
    [
        ("seed: 1\nfeatures: [\n", ":3", "not YAML"),
        ("seed: 1\n\tfeatures: 3\n", ":2", "not YAML"),
        ("seed: \0\n", "", "not YAML"),
        ("seed: " + "[" * 1000, "", "not YAML: nested too deeply"),
        ("seed:\n" + "- " * 1000, "", "not YAML: nested too deeply"),
        ("seed: 1\nfeatures:\n" + "{a: " * 1000, ":3", "not YAML: could not find"),
        ("a: &a [1,1]\n" + LAUGHS, ":5", "not YAML: more values than any experiment has"),
        ("seed: 1\na: &a\n  b: *a\n", ":2", "not YAML: a value holds itself"),
        ("a: 1\nseed: " + "9" * 5000, ":2", "not YAML: a value is too long"),
        (f"base: {EMBEDDED}\nseed: " + "9" * 999, ":2", "seed: Input should be less than"),
        ("a: 1\nseed: 2001-99-99", ":2", "not YAML: a value is no timestamp"),
        ("a: 1\nseed: !!int many", ":2", "not YAML: a value is no int"),
        ("a: 1\nseed: !!bool many", ":2", "not YAML: a value is no bool"),
        ("a: 1\nseed: !!timestamp many", ":2", "not YAML: a value is no timestamp"),
        ("a: 1\nseed: !!python/object/apply:os.system [touch ran]", ":2", "not YAML: could not"),
        ("a: 1\nseed: !!python/name:os.system", ":2", "not YAML: could not"),
        ("a: 1\n? [a, b]\n: 2", ":2", "not YAML: found unhashable key"),
        ("a: 1\nb: 2\n---\na: 3\n", ":3", "not YAML: but found another document"),
        ("", "", "expected keys and values"),
        ("embedded\n", "", "expected keys and values, found 'embedded'"),
        ("seed: 1\n", "", "pretraining: missing"),
        ("seed: 1\nfeatures: {}\nseed: 3\n", ":3", "the key 'seed' comes twice"),
        ("seed: 1\npretraining:\n  epochs: 3\n", ":2", "pretraining.loss: missing"),
        ("scoring:\n  lda_dim: 3\n  1: 2\npretraining: {loss: {name: softmax}}", ":1", "scoring.1"),
    ],
)
def test_a_file_of_another_form_is_refused(
    tmp_path: Path, content: str, place: str, told: str
) -> None:
    path = write(tmp_path / "experiment.yaml", content)
    said = refusal(path)
    assert said.startswith(f"{path}{place}: ")
    assert told in said


def test_a_missing_file_points_to_conf(tmp_path: Path) -> None:
    path = tmp_path / "nothing.yaml"
    assert refusal(path) == f"{path}: no such experiment file; see conf/"


def test_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("# Größe\nseed: 1\n".encode("latin-1"))
    assert refusal(path).startswith(f"{path}: not UTF-8")


def test_each_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    text = "base: {base}\n\nscoring:\n  cohort: 3\npretraining:\n  epochs: many\n  patience: 3\n"
    path = write(tmp_path / "mine.yaml", text.format(base=EMBEDDED))
    epochs, cohort = refusal(path).split("; ", 1)
    assert epochs.startswith(f"{path}:6: pretraining.epochs: ")
    assert cohort == f"{path}:4: scoring.cohort: unknown key; did you mean cohort_size?"
