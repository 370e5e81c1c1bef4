"""The real run.sh with a teacher: from two checkpoints to the results of a student."""

import json

import pytest
import torch

from deep_speaker.config import read_experiment
from support.recipe import Recipe
from support.speech import make_speech, write_audio
from support.teachers import write_teacher
from support.tiny_data import make_experiment

pytestmark = pytest.mark.slow

CONFIG = ("--config", "tests/support/tiny_distillation.yaml", "--corpus", "folder", "--nj", "2")
ALONE = ("--set", "pretraining=null", "--set", "finetuning=null")
TEACHERS = ("--teacher", "first.pt second.pt")
EXPERIMENT = "exp/folder/tiny_distillation.pretraining=null.finetuning=null"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe with two teachers; with training files without speakers, and test speakers."""
    recipe = Recipe(tmp_path_factory.mktemp("recipe"))
    for number in range(12):
        write_audio(recipe.folder / f"unknown/{number}.wav", make_speech(number, 2.5))
        write_audio(recipe.folder / f"known/s{number // 4}/{number}.wav", make_speech(number, 1.2))
    front_end = {"front_end": "speechbrain", "num_mels": 20, "sampling_rate": 8000}
    write_teacher(recipe.folder / "first.pt", make_experiment(features=front_end))
    second = make_experiment(network={"embedding_dim": 12}, normalisation={"scale": 2})
    write_teacher(recipe.folder / "second.pt", second)
    return recipe


@pytest.fixture(scope="module")
def printed(recipe: Recipe) -> str:
    """What a run on speech without labels printed."""
    folders = ("--train-dir", "unknown", "--test-dir", "known", "--prepare-options", "--unlabelled")
    cosine = ("--set", "scoring.backends=[cosine]")
    return recipe.run(*CONFIG, *ALONE, *cosine, *TEACHERS, *folders)


@pytest.mark.full
def test_a_student_of_two_teachers_has_results(recipe: Recipe, printed: str) -> None:
    experiment = recipe.folder / f"{EXPERIMENT}.scoring.backends=cosine"
    rows = json.loads((experiment / "results.json").read_text())
    phases = ["statistics", "statistics_no_mean", "untrained", "distillation"]
    assert [row["phase"] for row in rows if row["trials"] == "trials"] == phases
    assert (experiment / "xvectors_test").resolve().parent.name == "distillation"
    assert printed.count("of the pieces of 12 utterances it has those of 0") == 2
    history = json.loads((experiment / "distillation/history.json").read_text())
    assert {"teacher_cosine", "held_out_distance"} <= history[0].keys()
    assert (
        "distance of held-out speakers to the teacher" in (experiment / "report.html").read_text()
    )


@pytest.mark.full
def test_another_student_takes_what_the_teachers_have_said(recipe: Recipe, printed: str) -> None:
    smaller = ("--set", "network.embedding_dim=8", "--stage", "2", "--stop-stage", "3")
    told = recipe.run(*CONFIG, *TEACHERS, *smaller)
    assert told.count("of the pieces of 12 utterances it has those of 12") == 2
    started = [line.split(" ", 2)[2] for line in told.splitlines() if " starts from " in line]
    experiment = "exp/folder/tiny_distillation.network.embedding_dim=8"
    assert started == [
        "distillation starts from random weights",
        f"pretraining starts from {experiment}/distillation/best.pt",
        f"finetuning starts from {experiment}/pretraining/best.pt",
        f"pretraining_continued starts from {experiment}/pretraining/best.pt",
    ]
    assert "resuming" not in told


@pytest.mark.full
def test_a_student_starts_as_its_slimmed_teacher(recipe: Recipe, printed: str) -> None:
    network = "{name: ecapa_tdnn, channels: %d, pooled_channels: %d, embedding_dim: 8}"
    settings = ["pretraining=null", "finetuning=null", "scoring.backends=[cosine]"]
    config = recipe.folder / CONFIG[1]
    wide = read_experiment(config, [], [*settings, "network=" + network % (24, 32)])
    write_teacher(recipe.folder / "wide.pt", wide)
    (recipe.folder / "slim.yaml").write_text(
        f"network: {network % (16, 24)}\ndistillation: {{starts_from: teacher}}\n"
    )
    words = [word for setting in settings for word in ("--set", setting)]
    words += ["--override", "slim.yaml", "--teacher", "wide.pt", "--stage", "2"]
    told = recipe.run(*CONFIG, *words)
    (experiment,) = recipe.folder.glob("exp/folder/tiny_distillation.slim.*")
    start = experiment.relative_to(recipe.folder) / "initial_model/best.pt"
    assert f"distillation starts from {start}" in told
    first, begun = (
        torch.load(experiment / name, weights_only=True)["network"]
        for name in ("initial_model/best.pt", "distillation/initial.pt")
    )
    assert all(torch.equal(first[key], begun[key]) for key in first)
    rows = json.loads((experiment / "results.json").read_text())
    phases = ["statistics", "statistics_no_mean", "initial_model", "distillation"]
    assert [row["phase"] for row in rows if row["trials"] == "trials"] == phases
    again = recipe.run(*CONFIG, *words, "--stop-stage", "2", "--resume", "true")
    assert "is finished; nothing to resume" in again
    assert "slimming" not in again


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "has distillation: name the checkpoint of a teacher by --teacher"),
        (("--teacher", "nobody.pt"), "--teacher nobody.pt: no such file"),
        (
            ("--teacher", "first.pt", "--set", "distillation=null"),
            "--teacher first.pt: nothing learns from it",
        ),
    ],
)
def test_distillation_and_teachers_are_checked_before_any_work(
    recipe: Recipe, options: tuple[str, ...], told: str
) -> None:
    last = recipe.run(*CONFIG, "--stage", "2", *options, expect=1).splitlines()[-1]
    assert told in last
