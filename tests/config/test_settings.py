"""Settings of single keys, as of run.sh --set."""

from pathlib import Path
from typing import Any

import pytest

from deep_speaker.config import Experiment, read_experiment
from deep_speaker.config.settings import parse_setting
from support.experiment_files import CONF, CONFIGS, EMBEDDED, refusal, write

XVECTOR = CONF / "xvector.yaml"
SMALL_BUDGET = CONF / "overrides/small_budget.yaml"
PRETRAINED = [path for path in CONFIGS if read_experiment(path).pretraining]


def with_settings(*settings: str, config: Path = EMBEDDED) -> Experiment:
    return read_experiment(config, [], settings)


def section(experiment: Experiment, key: str) -> Any:
    """Return the keys and values below a dotted key."""
    found: Any = experiment.model_dump()
    for name in key.split("."):
        found = found[name]
    return found


@pytest.mark.parametrize(
    ("text", "keys", "value"),
    [
        ("seed=1", ("seed",), 1),
        ("a.b.c=0.2", ("a", "b", "c"), 0.2),
        ("a.b=3e-3", ("a", "b"), 0.003),
        ("a.b=-1E+2", ("a", "b"), -100.0),
        ("a.b=.5e1", ("a", "b"), 5.0),
        ("a.b=[1, 2e1]", ("a", "b"), [1, 20.0]),
        ("a.b=null", ("a", "b"), None),
        ("a.b={name: softmax, scale: 20}", ("a", "b"), {"name": "softmax", "scale": 20}),
        ("a.b=x=y", ("a", "b"), "x=y"),
        (" a . b = true ", ("a", "b"), True),
        ("a.b=e3", ("a", "b"), "e3"),
    ],
)
def test_a_value_is_what_it_is_in_a_file(text: str, keys: tuple[str, ...], value: object) -> None:
    setting = parse_setting(text)
    assert setting.keys == keys
    assert setting.value == value
    assert type(setting.value) is type(value)


@pytest.mark.parametrize("text", ["", "seed", "=1", "a.=1", ".a=1", "a..b=1", "seed=", "seed= "])
def test_another_form_is_refused_with_the_one_expected(text: str) -> None:
    said = refusal(EMBEDDED, settings=(text,))
    assert said.startswith(f"--set {text.strip()}: expected <key>")


@pytest.mark.parametrize("value", ["[1, 2", "{a: 1, a: 2}", "a: b: c", "!!python/name:os.system x"])
def test_what_is_not_yaml_is_refused(value: str) -> None:
    assert refusal(EMBEDDED, settings=(f"seed={value}",)).startswith(
        f"--set seed={value}: not YAML"
    )


def test_a_setting_changes_its_key_alone() -> None:
    before = read_experiment(EMBEDDED).model_dump()
    after = with_settings("seed=3", "pretraining.augmentation.equaliser_db=1").model_dump()
    before["seed"] = 3
    before["pretraining"]["augmentation"]["equaliser_db"] = (
        1  # but not fine-tuning's, of one anchor
    )
    assert after == before


def test_a_section_is_replaced_with_all_below_it() -> None:
    changed = section(with_settings("pretraining.loss={name: softmax, scale: 20}"), "pretraining")
    assert changed["loss"] == {"name": "softmax", "scale": 20, "hidden_dims": ()}
    assert section(with_settings("extraction={method: crops}"), "extraction")["crop_frames"] == 300


def test_missing_sections_are_made() -> None:
    experiment = with_settings("augmented_copies.speeds=[0.9]", "scoring.lda_dim=3")
    assert experiment.augmented_copies
    assert experiment.augmented_copies.speeds == (0.9,)
    assert section(experiment, "scoring.lda_dim") == 3


def test_later_settings_win_and_all_win_over_files(tmp_path: Path) -> None:
    path = write(tmp_path / "override.yaml", "seed: 5\npretraining: {epochs: 5}")
    experiment = read_experiment(EMBEDDED, [path], ["seed=6", "pretraining.epochs=7", "seed=8"])
    assert (experiment.seed, experiment.first_phase.epochs) == (8, 7)


@pytest.mark.parametrize(
    ("setting", "key", "near"),
    [
        ("pretraining.epoch=3", "pretraining.epoch", "epochs"),
        ("pretrainin.epochs=3", "pretrainin", "pretraining"),
        ("pretraining.loss.margin=0.2", "pretraining.loss.margin", None),
        ("base=conf/xvector.yaml", "base", None),
        ("name=tdnn", "name", None),
    ],
)
def test_an_unknown_key_is_refused_as_in_a_file(setting: str, key: str, near: str | None) -> None:
    reason = f"; did you mean {near}?" if near else " in this place"
    said = refusal(EMBEDDED, settings=("seed=1", setting, "seed=2"))
    assert said == f"--set {setting}: {key}: unknown key{reason}"


def test_a_wrong_value_is_named_with_its_setting() -> None:
    setting = "pretraining.epochs=many"
    said = refusal(EMBEDDED, settings=(setting,))
    assert said.startswith(f"--set {setting}: pretraining.epochs: ")
    assert said.endswith("got 'many'")
    said = refusal(EMBEDDED, settings=("pretraining.loss.name=ge2e",))
    assert said.startswith(
        "--set pretraining.loss.name=ge2e: pretraining: utterances_per_speaker 1"
    )


def test_what_is_no_section_has_no_keys() -> None:
    said = refusal(EMBEDDED, settings=("pretraining.epochs.first=3",))
    assert said == "--set pretraining.epochs.first=3: pretraining.epochs is no section, but 10"


def test_fine_tuning_is_set_only_where_there_is_one() -> None:
    for settings in (["finetuning.epochs=3"], ["finetuning=null", "finetuning.epochs=3"]):
        config = XVECTOR if len(settings) == 1 else EMBEDDED
        said = refusal(config, settings=tuple(settings))
        assert said.startswith("--set finetuning.epochs=3: ")
        assert "has no finetuning" in said
    said = refusal(EMBEDDED, settings=("distillation.epochs=3",))
    assert "has no distillation" in said
    whole = "finetuning={loss: {name: triplet}, utterances_per_speaker: 2}"
    tuned = with_settings(whole, "finetuning.epochs=3", config=XVECTOR).finetuning
    assert tuned
    assert tuned.epochs == 3


# Another kind of a section


def test_another_kind_leaves_no_key_of_the_one_before() -> None:
    triplet = with_settings("finetuning.loss.name=angular_prototypical")
    assert section(triplet, "finetuning.loss") == {
        "name": "angular_prototypical", "initial_scale": 10, "initial_bias": -5,
    }  # fmt: skip
    network = section(with_settings("network.name=tdnn", "network.channels=64"), "network")
    assert network == {
        "name": "tdnn", "channels": 64, "pooled_channels": 1500, "pooling": "statistics",
        "embedding_dim": 512,
    }  # fmt: skip
    windows = with_settings("network.base.name=gru", config=CONF / "one_shot.yaml")
    assert section(windows, "network")["window_frames"] == 160
    assert section(windows, "network.base")["hidden_dim"] == 1024


def test_the_same_kind_again_leaves_all() -> None:
    named = with_settings("finetuning.loss.name=triplet", "network.name=rescnn")
    assert named == read_experiment(EMBEDDED)


def test_what_all_kinds_have_stays() -> None:
    """A schedule's learning rate, say: its default is of another optimiser."""
    schedule = section(with_settings("pretraining.schedule.shape=plateau"), "pretraining.schedule")
    assert schedule == {
        "shape": "plateau", "initial": 3e-3, "warmup_share": 0.05, "factor": 0.5, "every_epochs": 3,
    }  # fmt: skip
    schedule = section(with_settings("pretraining.schedule.shape=linear"), "pretraining.schedule")
    assert (schedule["final"], schedule["warmup_share"]) == (0, 0.05)
    optimiser = section(with_settings("pretraining.optimiser.name=sgd"), "pretraining.optimiser")
    assert optimiser["weight_decay"] == 0.01
    features = ("features.sampling_rate=8000", "features.front_end=torchaudio")
    assert section(with_settings(*features), "features.sampling_rate") == 8000


def test_a_setting_that_another_kind_undoes_is_refused() -> None:
    settings = ("finetuning.loss.margin=0.2", "finetuning.loss.name=contrastive")
    assert refusal(EMBEDDED, settings=settings).startswith(f"--set {settings[0]}: ")
    assert section(with_settings(*reversed(settings)), "finetuning.loss.margin") == 0.2


# Settings in place of overrides


@pytest.mark.parametrize("budget", [[], [SMALL_BUDGET]], ids=["alone", "small_budget"])
@pytest.mark.parametrize("config", PRETRAINED, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (
            "pretraining: {loss: {name: angular_prototypical}, utterances_per_speaker: 2}",
            ["pretraining.loss.name=angular_prototypical", "pretraining.utterances_per_speaker=2"],
        ),
        (
            "pretraining: {loss: {name: softmax, scale: 20}}",
            ["pretraining.loss={name: softmax, scale: 20}"],
        ),
        (
            "pretraining: {schedule: {shape: cosine, initial: 5e-4, final: 0, warmup_share: 0.1}}",
            ["pretraining.schedule={shape: cosine, initial: 5e-4, final: 0, warmup_share: 0.1}"],
        ),
    ],
    ids=["angular_prototypical", "scaled_softmax", "low_rate"],
)
def test_settings_do_what_a_file_does(
    text: str, settings: list[str], config: Path, budget: list[Path], tmp_path: Path
) -> None:
    path = write(tmp_path / "override.yaml", text)
    assert read_experiment(config, [*budget, path]) == read_experiment(config, budget, settings)


def test_the_small_budget_at_a_lower_rate() -> None:
    schedule = read_experiment(EMBEDDED, [SMALL_BUDGET], ["pretraining.schedule.initial=5e-4"])
    assert section(schedule, "pretraining.schedule") == {
        "shape": "cosine", "initial": 5e-4, "final": 0, "warmup_share": 0.1,
    }  # fmt: skip
