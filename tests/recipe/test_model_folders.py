"""The real run.sh with a model folder: judged, compared by, fine-tuned; its own config suffices."""

import json
import shutil
from pathlib import Path

import pytest

import deep_speaker
from deep_speaker.config import read_experiment
from deep_speaker.published.model_folder import write_model_folder
from support.model_folders import make_trained
from support.recipe import ROOT, Recipe
from support.speech import make_speech, write_audio

pytestmark = pytest.mark.slow

MODEL = ("--nj", "2", "--corpus", "folder", "--initial-model", "models/tiny")


def write_speakers(folder: Path, num_speakers: int, num_utterances: int = 3) -> None:
    for speaker in range(num_speakers):
        for number in range(num_utterances):
            speech = make_speech(100 * speaker + number, seconds=1.2)
            write_audio(folder / f"{folder.name}{speaker}/{number}.flac", speech)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe with a model folder and without conf/, so that the folder has to be enough."""
    recipe = Recipe(tmp_path_factory.mktemp("recipe"))
    experiment = read_experiment(ROOT / "tests/support/tiny.yaml")
    write_model_folder(recipe.folder / "models/tiny", make_trained(experiment), "float16")
    shutil.rmtree(recipe.folder / "conf")
    write_speakers(recipe.folder / "seen", 6)
    write_speakers(recipe.folder / "unseen", 4)
    return recipe


def read_phases(recipe: Recipe, experiment: str) -> list[str]:
    rows = json.loads((recipe.folder / "exp" / experiment / "results.json").read_text())
    return list(dict.fromkeys(row["phase"] for row in rows))


@pytest.mark.full
def test_a_test_set_alone_is_judged_by_the_folder_s_own_config(recipe: Recipe) -> None:
    words = (*MODEL, "--test-dir", "unseen", "--name", "alone")
    recipe.run(*words)
    assert read_phases(recipe, "alone/tiny") == ["initial_model"]
    model = recipe.folder / "exp/alone/tiny/model"
    assert "Scores are not calibrated" in (model / "README.md").read_text()
    assert deep_speaker.load(model).scoring.decisions is None


@pytest.mark.full
def test_with_training_speakers_it_is_judged_and_fine_tuned(recipe: Recipe) -> None:
    words = (*MODEL, "--train-dir", "seen", "--test-dir", "unseen", "--name", "both")
    printed = recipe.run(*words)
    assert "Nothing to do: models/tiny goes on as it is" in printed
    assert "fine-tuning starts from models/tiny itself" in printed
    floors = ["statistics", "statistics_no_mean"]
    assert read_phases(recipe, "both/tiny") == [*floors, "initial_model", "finetuning"]
    recipe.run(*words, "--stage", "4", "--set", "finetuning=null")
    assert read_phases(recipe, "both/tiny.finetuning=null") == [*floors, "initial_model"]
    printed = recipe.run(*words, "--stage", "2", "--stop-stage", "2", "--set", "seed=1")
    assert "starts from exp/both/tiny.seed=1/initial_model/best.pt" in printed
    assert (recipe.folder / "exp/both/tiny.seed=1/pretraining/best.pt").exists()


@pytest.mark.full
def test_few_speakers_are_judged_and_a_line_says_that_they_do_not_train(recipe: Recipe) -> None:
    words = (*MODEL, "--corpus-dir", "unseen", "--name", "few")
    last = recipe.run(*words, expect=1).splitlines()[-1]
    assert "2 training speakers: at least 4 are needed" in last
    assert "judge weights as they are (--initial-model, --stage 4)" in last
    recipe.run(*words, "--stage", "4")
    assert read_phases(recipe, "few/tiny")[-1] == "initial_model"


@pytest.mark.full
def test_two_recordings_are_compared(recipe: Recipe) -> None:
    folder = recipe.folder / "two"
    for speaker in "ab":
        write_audio(folder / speaker / f"{speaker}.wav", make_speech(ord(speaker), 1.2))
    lines = recipe.run(*MODEL, "--test-dir", folder.name, "--name", folder.name).splitlines()
    (trial,) = (recipe.folder / f"data/{folder.name}/test/trials").read_text().splitlines()
    assert trial.split()[2] == "nontarget"
    scores = f"exp/{folder.name}/tiny/scores/initial_model.trials.cosine"
    enroll, test, score = (recipe.folder / scores).read_text().split()
    assert [enroll, test] == trial.split()[:2]
    assert -1 <= float(score) <= 1
    place = lines.index(f"{scores}:")
    assert "nontarget trials, and error rates need both kinds" in lines[place - 1]
    assert lines[place + 1] == f"  {enroll} {test} {score}"
    assert not (recipe.folder / f"exp/{folder.name}/tiny/results.json").exists()


def test_folders_that_are_no_model_are_refused_before_any_work(recipe: Recipe) -> None:
    bare = recipe.folder / "models/bare"
    bare.mkdir()

    def refusal(*words: str) -> str:
        return recipe.run("--corpus", "folder", "--test-dir", "unseen", "--name", "bad", *words,
                          expect=1).splitlines()[-1]  # fmt: skip

    (recipe.folder / "mine.yaml").write_text("pretraining: {loss: {name: softmax}}\n")
    mine = ("--config", "mine.yaml", "--initial-model")
    assert "models/none: no such file or folder" in refusal(*mine, "models/none")
    assert "models/bare: no model folder, as it holds no conf" in refusal(
        "--initial-model", "models/bare"
    )
    shutil.copy(recipe.folder / "models/tiny/config.yaml", bare)
    assert "holds no weights.safetensors" in refusal("--initial-model", "models/bare")
    (bare / "weights.safetensors").write_bytes(b"123")
    assert "damaged" in refusal("--initial-model", "models/bare")
    last = refusal(*mine, "models/tiny")
    assert "models/tiny: trained with normalisation.scale 3" in last
    assert "name models/tiny/config.yaml, or what is based on it" in last
    assert not (recipe.folder / "data/bad").exists()
