"""The real run.sh with published weights: judged without training speakers, and trained on."""

import json
from pathlib import Path

import pytest
import torch

from support.published_networks import make_state
from support.recipe import Recipe
from support.speech import make_speech, write_audio

pytestmark = pytest.mark.slow

CONFIG = ("--config", "conf/resnetse34l.yaml", "--override", "few_crops.yaml", "--nj", "2")
WEIGHTS = ("--initial-model", "lite.model")
JUDGED = (*CONFIG, *WEIGHTS, "--corpus", "folder")
LEFT_OUT = (
    "Left out, since data/folder has no training speakers to fit them on: the floors statistics, "
    "statistics_no_mean; the back ends centred_cosine, lda, plda, cosine_as_norm; the calibrated "
    "figures actDCF(0.01), Cllr."
)


def write_speakers(folder: Path, num_speakers: int) -> None:
    for number in range(4 * num_speakers):
        name = f"{folder.name}{number // 4}/{number}.flac"
        write_audio(folder / name, make_speech(number, seconds=1.2))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe with weights of random numbers, and folders of speakers, `seen` and `unseen`."""
    recipe = Recipe(tmp_path_factory.mktemp("recipe"))
    state = {f"__S__.{key}": tensor for key, tensor in make_state("resnetse34l").items()}
    torch.save(state, recipe.folder / "lite.model")
    (recipe.folder / "few_crops.yaml").write_text("extraction: {num_crops: 2, crop_frames: 60}")
    write_speakers(recipe.folder / "seen", 6)
    write_speakers(recipe.folder / "unseen", 4)
    return recipe


@pytest.fixture(scope="module")
def judged(recipe: Recipe) -> str:
    """What a run without training speakers printed."""
    return recipe.run(*JUDGED, "--test-dir", "unseen", "--stage", "0")


def read_rows(recipe: Recipe, experiment: str) -> list[dict]:
    return json.loads((recipe.folder / "exp" / experiment / "results.json").read_text())


@pytest.fixture(scope="module")
def prepared(recipe: Recipe) -> tuple[str, ...]:
    """Options of the same test set with training speakers, whose features are computed."""
    options = (*CONFIG, *WEIGHTS, "--corpus", "folder", "--name", "both")
    folders = ("--train-dir", "seen", "--test-dir", "unseen")
    recipe.run(*options, *folders, "--stop-stage", "1")
    return options


def test_a_test_set_alone_is_judged_by_what_needs_no_fitting(recipe: Recipe, judged: str) -> None:
    rows = read_rows(recipe, "folder/resnetse34l.few_crops.lite")
    assert [(row["phase"], row["backend"]) for row in rows if row["trials"] == "trials"] == [
        ("initial_model", "crop_distance"),
        ("initial_model", "cosine"),
    ]
    assert {row["trials"] for row in rows} == {"trials", "one_plus_99"}
    for row in rows:
        assert row["interval_95"]
        assert not {"act_dcf", "cllr", "calibration"} & row.keys()


def test_what_is_left_out_is_said(recipe: Recipe, judged: str) -> None:
    lines = judged.splitlines()
    assert f"score_trials.py: {LEFT_OUT}" in lines
    assert LEFT_OUT in lines  # below the table
    assert judged.count("Nothing to do: data/folder has no training speakers") == 2
    report = recipe.folder / "exp/folder/resnetse34l.few_crops.lite/report.html"
    assert LEFT_OUT in report.read_text()


def test_no_training_speakers_are_made_up(recipe: Recipe, judged: str) -> None:
    assert not list(recipe.folder.glob("data/folder/train*"))
    experiment = recipe.folder / "exp/folder/resnetse34l.few_crops.lite"
    assert {path.name for path in experiment.rglob("xvectors_*")} == {"xvectors_test"}
    assert {path.name for path in experiment.iterdir() if path.is_dir()} == {
        "initial_model", "log", "model", "scores", "xvectors_test",
    }  # fmt: skip


@pytest.mark.full
def test_every_stage_reruns_alone(recipe: Recipe, judged: str) -> None:
    experiment = recipe.folder / "exp/folder/resnetse34l.few_crops.lite"
    results = (experiment / "results.json").read_bytes()
    for stage in (1, 2, 4, 5, 6):
        once = (*JUDGED, "--stage", str(stage), "--stop-stage", str(stage))
        recipe.run(*once)
    assert (experiment / "results.json").read_bytes() == results
    assert not list(recipe.folder.glob("data/folder/train*"))


def test_without_weights_to_judge_one_line_says_what_is_missing(
    recipe: Recipe, judged: str
) -> None:
    (line,) = recipe.run(*CONFIG, "--corpus", "folder", "--stage", "2", expect=1).splitlines()
    assert "data/folder has no training speakers: name weights to judge with --initial" in line


@pytest.mark.full
def test_scores_are_those_that_training_speakers_give_too(
    recipe: Recipe, judged: str, prepared: tuple[str, ...]
) -> None:
    printed = recipe.run(*prepared, "--stage", "4")
    assert "Left out" not in printed
    alone, both = (
        recipe.folder / f"exp/{name}/resnetse34l.few_crops.lite/scores"
        for name in ("folder", "both")
    )
    for backend in ("crop_distance", "cosine"):
        name = f"initial_model.trials.{backend}"
        assert (alone / name).read_text() == (both / name).read_text()
    assert (both / "statistics.trials.lda").exists()


@pytest.mark.full
def test_training_speakers_of_earlier_are_not_lost(
    recipe: Recipe, prepared: tuple[str, ...]
) -> None:
    words = (*JUDGED, "--name", "both", "--test-dir", "unseen")
    printed = recipe.run(*words, expect=1)
    assert "data/both/train is there from an earlier stage 0" in printed.splitlines()[-1]
    assert (recipe.folder / "data/both/train/feats.scp").exists()


@pytest.mark.full
def test_published_weights_are_judged_and_trained_from(
    recipe: Recipe, prepared: tuple[str, ...]
) -> None:
    def phases(experiment: str) -> dict[str, str]:
        """The main back end of each."""
        rows = read_rows(recipe, f"both/{experiment}")
        return {row["phase"]: row["backend"] for row in reversed(rows)}

    recipe.run(*prepared, "--stage", "4")
    floors = {"statistics": "cosine", "statistics_no_mean": "cosine"}
    judged = floors | {"initial_model": "crop_distance"}
    assert phases("resnetse34l.few_crops.lite") == judged
    few_steps = ("--override", "few_crops.yaml conf/overrides/few_steps.yaml")
    printed = recipe.run(*prepared, *few_steps, "--stage", "2")
    assert "has no fine-tuning" in printed
    trained = "resnetse34l.few_crops.few_steps.lite"
    assert phases(trained) == judged | {"pretraining": "crop_distance"}
    folder = recipe.folder / "exp/both" / trained
    assert have_same_weights(folder, "pretraining/initial.pt", "initial_model/best.pt")


@pytest.mark.full
def test_published_weights_are_fine_tuned_themselves(
    recipe: Recipe, prepared: tuple[str, ...]
) -> None:
    settings = (
        "--set", "finetuning={loss: {name: triplet}, utterances_per_speaker: 2, chunk_frames: 60}",
        "--set", "pretraining.chunk_frames=60",
    )  # fmt: skip
    words = (*prepared, "--override", "few_crops.yaml conf/overrides/few_steps.yaml", *settings)
    printed = recipe.run(*words, "--stage", "3")
    assert "fine-tuning starts from lite.model itself" in printed
    assert "pretraining_continued, which goes on with its loss, is left out" in printed
    (experiment,) = recipe.folder.glob("exp/both/*finetuning*")
    name = f"both/{experiment.name}"
    phases = dict.fromkeys(row["phase"] for row in read_rows(recipe, name))
    assert list(phases) == ["statistics", "statistics_no_mean", "initial_model", "finetuning"]
    assert not (experiment / "pretraining").exists()
    assert have_same_weights(experiment, "finetuning/initial.pt", "initial_model/best.pt")
    last = (experiment / "xvectors_test").resolve()
    assert last == (experiment / "finetuning/xvectors_test").resolve()

    recipe.run(*words, "--stage", "2", "--stop-stage", "2")
    printed = recipe.run(*words, "--stage", "3", "--stop-stage", "3")
    assert "fine-tuning goes on from pre-training" in printed
    assert have_same_weights(experiment, "pretraining/initial.pt", "initial_model/best.pt")
    assert have_same_weights(experiment, "finetuning/initial.pt", "pretraining/best.pt")
    assert (experiment / "pretraining_continued/best.pt").exists()


def have_same_weights(experiment: Path, *names: str) -> bool:
    first, second = (torch.load(experiment / name, weights_only=True)["network"] for name in names)
    return all(torch.equal(first[key], second[key]) for key in second)
