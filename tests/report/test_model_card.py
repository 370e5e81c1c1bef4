"""The card of a model: what the program knows, and what a person wrote, which stays."""

import sys
from pathlib import Path

import pytest

import write_model
from deep_speaker.config.folders import RESULTS
from deep_speaker.networks.checkpoints import save_checkpoint
from deep_speaker.published.importing import import_weights
from deep_speaker.report import model_card
from deep_speaker.report.model_card import WRITTEN
from support.model_folders import make_trained
from support.report_experiments import Made
from support.tiny_data import make_experiment

WORDS = "> a license\n\n## with a heading\n\n```\n# and code\n```"


@pytest.fixture
def trained(made: Made) -> Made:
    """A finished experiment with the checkpoint of its fine-tuning and its logs."""
    save_checkpoint(made.experiment_dir / "finetuning/best.pt", make_trained())
    for stage, phase in ((2, "pretraining"), (3, "finetuning"), (3, "pretraining_continued")):
        log = made.experiment_dir / f"log/{stage}.train_network.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("a") as file:
            file.write(f"# Started at noon\n# train_network.py --phase {phase} x\nnews\n# Ended\n")
    return made


def write(monkeypatch: pytest.MonkeyPatch, *words: object) -> str:
    """Run the command on the last word, and return the card."""
    monkeypatch.setattr(sys, "argv", ["write_model.py", *map(str, words)])
    write_model.main()
    return (Path(str(words[-1])) / "README.md").read_text()


def test_the_card_has_what_is_known(
    trained: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_card, "recipe_commit", lambda _: "abc123")
    folder = tmp_path / "models/tiny"
    lines = write(monkeypatch, trained.experiment_dir, "finetuning", folder).splitlines()
    size = (folder / "weights.safetensors").stat().st_size
    import_weights(folder, make_experiment())
    for line in (
        "# tiny",
        f"./run.sh --corpus folder --test-dir speakers/ --initial-model {folder}",
        "| embedding | 8 numbers |",
        f"| weights | weights.safetensors, {size:,} bytes, float16 |",
        "| front end | kaldi, 16 bins, 16000 Hz |",
        "| phase | finetuning, after 3 epochs |",
        "| experiment | small |",
        "| speakers who trained | 2 |",
        "| training set | 6 speakers, 24 utterances, 0.01 h |",
        "| commit of the recipe | abc123, when this page was written |",
        "train_network.py --phase pretraining x",
        "train_network.py --phase finetuning x",
        f"pyscripts/write_model.py {trained.experiment_dir} finetuning {folder}",
    ):
        assert line in lines
    assert "train_network.py --phase pretraining_continued x" not in lines  # the control
    headings = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    assert headings == ["The model", "Training", "Figures", "Decisions", *WRITTEN]


def test_the_figures_are_those_of_results(
    trained: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = write(monkeypatch, trained.experiment_dir, "finetuning", tmp_path / "m")
    table = [line.strip("| ").split("|") for line in card.splitlines() if "EER" not in line]
    rows = [[cell.strip() for cell in cells] for cells in table if len(cells) == 5]
    expected = ["finetuning", "statistics", "untrained"]
    assert rows[0] == ["trials", "target + nontarget", *expected]
    assert rows[2][:2] == ["trials", "36 + 240"]
    by_phase = {
        row["phase"]: row["eer_percent"]
        for row in model_card.read_results(trained.experiment_dir / RESULTS)
        if (row["trials"], row["subset"], row["backend"]) == ("trials", "all", "cosine")
    }
    for phase, cell in zip(expected, rows[2][2:], strict=True):
        assert cell.startswith(f"{by_phase[phase]:.2f} [")
    (trained.experiment_dir / RESULTS).unlink()
    card = write(monkeypatch, trained.experiment_dir, "finetuning", tmp_path / "m")
    assert "There are none: stage 6 was not run" in card


def test_names_are_no_markdown(
    tmp_path: Path, trained: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = "<img src=x onerror=alert(1)> | [a](javascript:b) `"
    results = trained.experiment_dir / RESULTS
    results.write_text(results.read_text().replace('"trials": "trials"', f'"trials": "{evil}"'))
    config = trained.experiment_dir / "config.yaml"
    config.write_text(f"# {evil}\n{config.read_text()}")
    card = write(monkeypatch, trained.experiment_dir, "finetuning", tmp_path / "m")
    assert card.count("img src=x onerror") == 2
    assert card.count(r"\<img src=x onerror=alert(1)\> \| \[a\](javascript:b) \`") == 2


def test_what_a_person_wrote_is_kept(
    trained: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = trained.experiment_dir / "finetuning/best.pt", "finetuning", tmp_path / "m"
    card = write(monkeypatch, *words)
    assert card.count(model_card.TO_WRITE) == 3
    mine = card.replace(WRITTEN["Limits of use"], WORDS).replace("| rescnn", "| mine")
    (tmp_path / "m/README.md").write_text(mine)
    again = write(monkeypatch, "--precision", "float32", *words)
    assert f"\n## Limits of use\n\n{WORDS}\n\n## What it must not be used for\n" in again
    assert again.count(model_card.TO_WRITE) == 2
    assert "float32 |" in again
    assert write(monkeypatch, "--precision", "float32", *words) == again


def test_other_checkpoints_are_refused(
    trained: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = trained.experiment_dir / "finetuning/best.pt"
    with pytest.raises(ValueError, match=r"best\.pt: a checkpoint of finetuning, not of pretrain"):
        write(monkeypatch, path, "pretraining", tmp_path / "m")
    with pytest.raises(ValueError, match=r"pretraining/best\.pt is missing: run stage 2 first"):
        write(monkeypatch, trained.experiment_dir, "pretraining", tmp_path / "m")
    assert not (tmp_path / "m").exists()
