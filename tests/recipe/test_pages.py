"""The documentation: it leads nowhere wrong, and its worked examples work."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from support.pages import PAGES, ROOT, apply_edit, iterate_blocks
from support.recipe import Recipe

MARKS = re.compile(r"run|needs: (cluster|data|kaldi|minutes|network)")
TINY = "--num-train-speakers 6 --num-test-speakers 3 --num-utterances 3"


def test_the_readme_is_short_and_has_two_pictures() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 200
    assert len(re.findall(r"docs/\w+\.(?:svg|png)", text)) == 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_are_short_and_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    long = [line for line in text.splitlines() if len(line) > 100 and "://" not in line]
    assert not long
    for target in re.findall(r"\]\(([^)#\s]*)(?:#[^)]*)?\)", text):
        assert "://" in target or not target or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_anchors_are_headings(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]*)\)", page.read_text()):
        if "://" in target:
            continue
        headings = re.findall(
            r"^#+ (.*)", (page.parent / target if target else page).read_text(), re.M
        )
        slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert anchor in slugs, (target, anchor)


def test_every_shell_block_is_run_by_a_test_or_says_what_it_needs() -> None:
    unmarked = [
        str(block)
        for block in iterate_blocks()
        if block.language == "bash" and not MARKS.fullmatch(block.mark)
    ]
    assert not unmarked


@pytest.mark.full
def test_the_worked_examples_extend_the_recipe(tmp_path: Path) -> None:
    """A corpus, a network, a loss, a back end and a metric of docs/extending.md, in one run."""
    recipe = Recipe(tmp_path)
    for block in iterate_blocks([ROOT / "docs/extending.md"]):
        if block.mark.startswith("file: "):
            path = tmp_path / block.mark.removeprefix("file: ")
            path.write_text(block.text)
            path.chmod(0o755)
        elif block.mark.startswith("edit: "):
            apply_edit(tmp_path, block)
    rng = np.random.default_rng(0)
    (tmp_path / "my_files").mkdir()
    for speaker in range(8):
        for number in range(3):
            sound = np.convolve(rng.normal(0, 0.1, 16000), rng.normal(0, 1, 64), "same")
            name = f"voice{speaker}_{number}.wav"
            soundfile.write(tmp_path / "my_files" / name, sound / np.abs(sound).max() / 2, 16000)
    settings = [
        "network={name: plain, channels: [4, 8], embedding_dim: 8}",
        "finetuning={loss: {name: supcon}, utterances_per_speaker: 2}",
        "scoring.backends=[cosine, wccn, wccn_as_norm]",
        "scoring.cohort_size=3",
    ]
    words = [word for setting in settings for word in ("--set", setting)]
    few_steps = ("--override", "conf/overrides/few_steps.yaml", "--control", "false")
    printed = recipe.run("--corpus", "mine", "--corpus-dir", "my_files", *few_steps, *words)
    (results,) = tmp_path.glob("exp/mine/*/results.json")
    rows = json.loads(results.read_text())
    assert {row["backend"] for row in rows} == {"cosine", "wccn", "wccn_as_norm"}
    assert {row["phase"] for row in rows} >= {"untrained", "pretraining", "finetuning"}
    assert "FA 1 %" in printed
    assert (tmp_path / "conf/mine.yaml").is_file()
    recipe.run(
        "--corpus", "mine", "--config", "conf/mine.yaml", "--stage", "1", "--stop-stage", "1"
    )
