"""From the options of run.sh to what its stages work on."""

import os
import shutil
from pathlib import Path

import pytest

import plan_run
from deep_speaker.config import read_experiment, write_experiment
from deep_speaker.config.naming import name_experiment

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def plan(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> "Plan":
    return Plan(monkeypatch, capsys)


class Plan:
    """Runs the command, and parses what it prints as run.sh does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str, config: str = "embedded") -> dict[str, str]:
        config_words = ["--config", str(CONF / f"{config}.yaml")] if config else []
        config_words += ["--name", "mine"]
        self._monkeypatch.setattr("sys.argv", ["plan_run.py", *config_words, *words])
        plan_run.main()
        lines = self._capsys.readouterr().out.splitlines()
        return dict(line.split("=", 1) for line in lines)


def test_the_default_experiment(plan: Plan, folder: Path) -> None:
    values = plan()
    assert values == {
        "data": "data/mine",
        "experiment": "exp/mine/embedded",
        "config": "exp/mine/embedded/resolved.yaml",
        "fitted_on": "data/mine/train",
        "train_set": "train",
        "initial_checkpoint": "",
        "slims_teacher": "",
        "start": "untrained",
        "trained": "pretraining finetuning pretraining_continued",
        "trained_in_2": "pretraining",
        "trained_in_3": "finetuning pretraining_continued",
        "pretraining_from": "",
        "finetuning_from": "exp/mine/embedded/pretraining/best.pt",
        "pretraining_continued_from": "exp/mine/embedded/pretraining/best.pt",
        "phases": "statistics statistics_no_mean untrained pretraining finetuning "
        "pretraining_continued",
        "last": "finetuning",
    }
    assert read_experiment(folder / values["config"]) == read_experiment(CONF / "embedded.yaml")


def test_overrides_and_settings_name_the_folder_and_make_the_config(
    plan: Plan, folder: Path
) -> None:
    override = ["--override", str(CONF / "overrides/few_steps.yaml")]
    settings = ["--set", "seed=3", "--set", "pretraining.loss={name: softmax, scale: 20}"]
    values = plan(*override, *settings, config="xvector")
    assert values["experiment"] == (
        "exp/mine/xvector.few_steps.seed=3.pretraining.loss=name_softmax,_scale_20"
    )
    experiment = read_experiment(folder / values["config"])
    assert (experiment.seed, experiment.first_phase.epochs) == (3, 1)
    assert experiment.first_phase.loss.model_dump()["scale"] == 20
    assert values["trained"] == values["last"] == "pretraining"


def test_copies_and_controls(plan: Plan) -> None:
    copies = ["--override", str(CONF / "overrides/rooms_and_noise.yaml")]
    values = plan(*copies, "--no-control")
    assert values["train_set"] == "train_augmented"
    assert values["trained"] == "pretraining finetuning"


def test_imported_weights_are_judged_beside_what_was_trained_from_them(
    plan: Plan, folder: Path
) -> None:
    words = ("--initial-model", "models/lite.model")
    values = plan(*words, config="resnetse34l")
    assert values["experiment"] == "exp/mine/resnetse34l.lite"
    assert values["initial_checkpoint"] == "exp/mine/resnetse34l.lite/initial_model/best.pt"
    assert (values["start"], values["trained"]) == ("initial_model", "pretraining")
    judged = plan(*words, "--stage", "4", config="resnetse34l")
    assert (judged["trained"], judged["last"]) == ("", "initial_model")
    (folder / values["experiment"] / "pretraining").mkdir()
    (folder / values["experiment"] / "pretraining/best.pt").touch()
    assert plan(*words, "--stage", "4", config="resnetse34l")["last"] == "pretraining"


def test_without_training_speakers_nothing_is_trained_or_fitted(plan: Plan) -> None:
    words = ("--initial-model", "lite.model", "--no-training-speakers")
    for stage in range(7):
        values = plan(*words, "--stage", str(stage))
        assert (values["trained"], values["phases"], values["train_set"]) == (
            "", "initial_model", "",
        )  # fmt: skip


def test_stage_3_fine_tunes_imported_weights_unless_pre_training_was_begun(
    plan: Plan, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    words = ("--initial-model", "lite.model", "--stage")
    experiment = folder / "exp/mine/embedded.lite"
    pretrained = "exp/mine/embedded.lite/pretraining/best.pt"
    all_trained = "pretraining finetuning pretraining_continued"
    values = plan(*words, "2")
    assert (values["trained"], values["finetuning_from"]) == (all_trained, pretrained)
    assert not caplog.records

    values = plan(*words, "3")
    assert values["trained"] == "finetuning"
    assert values["finetuning_from"] == "exp/mine/embedded.lite/initial_model/best.pt"
    assert values["phases"] == "statistics statistics_no_mean initial_model finetuning"
    started, control = caplog.messages
    assert "fine-tuning starts from lite.model itself" in started
    assert control.startswith("pretraining_continued, ")
    (experiment / "finetuning").mkdir()
    (experiment / "finetuning/best.pt").touch()
    assert plan(*words, "4")["trained"] == "finetuning"

    for name in ("pretraining.partial", "pretraining"):
        caplog.clear()
        (experiment / name).mkdir()
        values = plan(*words, "3")
        assert (values["trained"], values["finetuning_from"]) == (all_trained, pretrained)
        (line,) = caplog.messages
        assert "fine-tuning goes on from pre-training" in line
        (experiment / name).rmdir()


def test_a_model_folder_brings_its_config_and_is_fine_tuned_itself(
    plan: Plan, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Unless --stage 2 asks for pre-training from it."""
    model = folder / "models/small-1.0"
    model.mkdir(parents=True)
    write_experiment(model / "config.yaml", CONF / "embedded.yaml")
    own = ("--config", str(model / "config.yaml"), "--initial-model", "models/small-1.0/")
    for stage in ("0", "1", "3"):
        values = plan(*own, "--stage", stage, "--set", "seed=1")
        assert values["experiment"] == "exp/mine/small-1.0.seed=1"
        assert values["trained"] == "finetuning"
        assert values["finetuning_from"].endswith("small-1.0.seed=1/initial_model/best.pt")
    assert plan(*own, "--stage", "2")["trained"].startswith("pretraining finetuning")
    assert plan(*own, "--stage", "4")["trained"] == ""

    caplog.clear()
    caplog.set_level("INFO")
    values = plan(*own, "--set", "finetuning=null")
    assert (values["trained"], values["last"]) == ("", "initial_model")
    assert not caplog.records
    values = plan("--initial-model", "models/small-1.0")  # with another config
    assert values["experiment"] == "exp/mine/embedded.small-1.0"


def test_a_checkpoint_is_named_after_its_experiment_and_phase(plan: Plan, folder: Path) -> None:
    other = folder / "exp/theirs/small"
    make_checkpoint(other, "finetuning")
    best, last = (f"exp/theirs/small/finetuning/{name}.pt" for name in ("best", "last"))
    assert plan("--initial-model", best)["experiment"] == "exp/mine/embedded.best"
    write_experiment(other / "config.yaml", CONF / "embedded.yaml")
    values = plan("--initial-model", best)
    assert values["experiment"] == "exp/mine/embedded.small.finetuning"
    own = ("--config", "exp/theirs/small/finetuning/../config.yaml")  # as run.sh finds it
    for stage, trained in (("2", "pretraining finetuning"), ("3", "finetuning"), ("4", "")):
        values = plan("--initial-model", last, *own, "--no-control", "--stage", stage)
        assert values["experiment"] == "exp/mine/small.finetuning.last"
        assert values["trained"] == trained
    assert plan("--initial-model", "exp/theirs/finetuning/best.pt")["experiment"].endswith(".best")


def test_stage_3_of_a_config_without_fine_tuning_is_refused_unless_pre_trained(
    plan: Plan, folder: Path
) -> None:
    words = ("--initial-model", "lite.model", "--stage", "3")
    with pytest.raises(ValueError, match=r"resnetse34l\.yaml has no fine-tuning: .*--stage 2 to "):
        plan(*words, config="resnetse34l")
    make_checkpoint(folder / "exp/mine/resnetse34l.lite", "pretraining")
    values = plan(*words, config="resnetse34l")
    assert (values["trained"], values["last"]) == ("pretraining", "pretraining")
    assert plan("--stage", "3", config="resnetse34l")["trained"] == "pretraining"


def test_a_control_whose_pre_training_was_removed_is_left_out(
    plan: Plan, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    words = ("--initial-model", "lite.model", "--stage")
    experiment = folder / "exp/mine/embedded.lite"
    for phase in ("pretraining", "finetuning", "pretraining_continued"):
        make_checkpoint(experiment, phase)
    assert plan(*words, "4")["trained"] == "pretraining finetuning pretraining_continued"
    assert not caplog.records

    shutil.rmtree(experiment / "pretraining")
    for stage in ("3", "4", "5", "6"):
        caplog.clear()
        values = plan(*words, stage)
        assert values["trained"] == "finetuning"
        assert values["phases"] == "statistics statistics_no_mean initial_model finetuning"
        assert any(line.startswith("pretraining_continued") for line in caplog.messages)


def make_checkpoint(experiment: Path, phase: str) -> None:
    (experiment / phase).mkdir(parents=True)
    (experiment / phase / "best.pt").touch()


def test_networks_trained_after_their_x_vectors_are_named(
    plan: Plan, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for phase, age in (("pretraining", 10), ("finetuning", -10)):
        of_phase = folder / "exp/mine/embedded" / phase
        (of_phase / "xvectors_test").mkdir(parents=True)
        (of_phase / "best.pt").touch()
        made = (of_phase / "best.pt").stat().st_mtime + age
        (of_phase / "xvectors_test/xvector.ark").touch()
        os.utime(of_phase / "xvectors_test/xvector.ark", (made, made))
    plan("--stage", "4")
    assert not caplog.records
    plan("--stage", "5")
    (record,) = caplog.records
    assert record.getMessage().startswith("exp/mine/embedded/finetuning/xvectors_test/")


DISTILLATION = ("--set", "distillation={loss: {name: distillation}}")
NO_PRETRAINING = (*DISTILLATION, "--set", "pretraining=null")


def test_each_phase_starts_from_the_last_one_before_it(plan: Plan) -> None:
    values = plan(*DISTILLATION, "--teacher", "a.pt", "b.pt")
    experiment = values["experiment"]
    assert values["trained_in_2"] == "distillation pretraining"
    assert values["distillation_from"] == ""
    assert values["pretraining_from"] == f"{experiment}/distillation/best.pt"
    assert values["finetuning_from"] == f"{experiment}/pretraining/best.pt"

    values = plan(*NO_PRETRAINING, "--teacher", "a.pt", "--initial-model", "lite.model")
    experiment = values["experiment"]
    assert (values["trained_in_2"], values["trained_in_3"]) == ("distillation", "finetuning")
    assert values["distillation_from"] == f"{experiment}/initial_model/best.pt"
    assert values["finetuning_from"] == f"{experiment}/distillation/best.pt"


def test_a_teacher_and_distillation_go_together(plan: Plan) -> None:
    with pytest.raises(ValueError, match=r"embedded\.yaml has distillation: .*by --teacher"):
        plan(*NO_PRETRAINING)
    with pytest.raises(ValueError, match=r"--teacher a\.pt b\.pt: nothing learns from it"):
        plan("--teacher", "a.pt", "b.pt")
    for stages in (("--stop-stage", "1"), ("--stage", "3")):  # which do not train it
        assert plan(*NO_PRETRAINING, *stages)["last"] == "finetuning"


def test_distillation_that_starts_as_its_teacher_is_measured_against_that(plan: Plan) -> None:
    slimmed = ("--set", "distillation.starts_from=teacher", "--set", "finetuning=null")
    words = (*NO_PRETRAINING, *slimmed, "--teacher")
    values = plan(*words, "a.pt", config="ecapa_tdnn")
    start = f"{values['experiment']}/initial_model/best.pt"
    assert values["distillation_from"] == values["initial_checkpoint"] == start
    assert (values["start"], values["slims_teacher"]) == ("initial_model", "true")
    assert values["phases"] == "statistics statistics_no_mean initial_model distillation"
    with pytest.raises(ValueError, match=r"--teacher a\.pt b\.pt: distillation.starts_from teach"):
        plan(*words, "a.pt", "b.pt", config="ecapa_tdnn")


def test_weights_that_are_named_go_before_the_teacher_s(plan: Plan) -> None:
    slimmed = ("--set", "distillation.starts_from=teacher", "--teacher", "a.pt")
    words = (*NO_PRETRAINING, *slimmed, "--initial-model", "lite.model")
    values = plan(*words, config="ecapa_tdnn")
    assert (values["start"], values["slims_teacher"]) == ("initial_model", "")
    assert values["initial_checkpoint"].endswith(".lite/initial_model/best.pt")


@pytest.fixture
def lender(folder: Path) -> Path:
    """A finished experiment of another corpus, in whose files there is nothing."""
    experiment = folder / "exp/theirs/small"
    for phase in ("pretraining", "finetuning", "untrained"):
        (experiment / phase / "xvectors_train").mkdir(parents=True)
        (experiment / phase / "xvectors_train/xvector.ark").touch()
    for name in ("pretraining/initial.pt", "pretraining/best.pt", "finetuning/best.pt"):
        (experiment / name).touch()
        os.utime(experiment / name, (0, 0))  # before the x-vectors
    write_experiment(experiment / "config.yaml", CONF / "embedded.yaml")
    for name in ("utt2spk", "feats.scp"):
        (folder / "data/theirs/train").mkdir(parents=True, exist_ok=True)
        (folder / "data/theirs/train" / name).touch()
    return experiment


def test_other_speech_is_judged_by_an_experiment_that_is_there(
    plan: Plan, folder: Path, lender: Path
) -> None:
    for words in (("--no-training-speakers",), ("--stage", "5")):  # again, over its own links
        values = plan("--experiment", "exp/theirs/small", *words, config="")
        assert values == {
            "data": "data/mine",
            "experiment": "exp/mine/small",
            "config": "exp/mine/small/config.yaml",
            "fitted_on": "data/theirs/train",
            "initial_checkpoint": "",
            "start": "untrained",
            "trained": "pretraining finetuning",
            "phases": "statistics statistics_no_mean untrained pretraining finetuning",
            "last": "finetuning",
        }
    mine = folder / "exp/mine/small"
    assert read_experiment(mine / "config.yaml") == read_experiment(lender / "config.yaml")
    for name in ("pretraining/initial.pt", "finetuning/best.pt", "untrained/xvectors_train"):
        assert (mine / name).is_symlink()
        assert (mine / name).resolve() == lender / name
    assert not (mine / "statistics").exists()

    write_experiment(lender / "scores/config.yaml", CONF / "xvector.yaml")  # scored anew by that
    plan("--experiment", "exp/theirs/small", config="")
    assert read_experiment(mine / "config.yaml") == read_experiment(CONF / "xvector.yaml")
    assert read_experiment(lender / "config.yaml") == read_experiment(CONF / "embedded.yaml")


def test_one_of_imported_weights_lends_them_too(plan: Plan, lender: Path) -> None:
    shutil.move(lender / "pretraining", lender / "initial_model")
    values = plan("--experiment", "exp/theirs/small", config="")
    assert (values["trained"], values["start"]) == ("finetuning", "initial_model")
    assert values["initial_checkpoint"] == "exp/mine/small/initial_model/best.pt"
    assert Path(values["initial_checkpoint"]).exists()


MISSING = {
    "finetuning/xvectors_train/xvector.ark": r"xvector\.ark is missing: run stage 4 of exp/th",
    "../../../data/theirs/train/utt2spk": r"data/theirs/train/utt2spk of its training set is gone",
    "../../../data/theirs/train/feats.scp": r"train/feats\.scp of its training set is gone",
}


@pytest.mark.parametrize(("name", "told"), MISSING.items())
def test_what_it_lacks_is_named(name: str, told: str, plan: Plan, lender: Path) -> None:
    (lender / name).unlink()
    with pytest.raises(ValueError, match=f"^--experiment exp/theirs/small: .*{told}"):
        plan("--experiment", "exp/theirs/small", config="")
    assert not Path("exp/mine").exists()


def test_stale_x_vectors_and_a_place_that_is_taken_are_refused(
    plan: Plan, folder: Path, lender: Path
) -> None:
    make_checkpoint(folder / "exp/mine/small", "pretraining")
    with pytest.raises(ValueError, match=r"^exp/mine/small/pretraining/best\.pt is of an experim"):
        plan("--experiment", "exp/theirs/small", config="")
    (lender / "finetuning/best.pt").touch()
    os.utime(lender / "finetuning/xvectors_train/xvector.ark", (0, 0))
    with pytest.raises(ValueError, match=r"is stale, as .*finetuning/best\.pt was made anew since"):
        plan("--experiment", "exp/theirs/small", config="")


@pytest.mark.parametrize("config", ["...yaml", "..yaml", "a\nlast=x.yaml", "-rf.yaml", "a:b.yaml"])
def test_no_config_names_a_folder_elsewhere(config: str) -> None:
    name = name_experiment(Path("conf", config), [Path("few/steps.yaml")], ["seed=../../3"], "")
    assert Path("exp/mine", name).parent == Path("exp/mine") and name not in (".", "..")
    assert name.isprintable() and name[0] not in ".-" and ":" not in name
