"""Experiments in layers: a file on its base, overrides on top, and all of it as one file."""

from pathlib import Path

import pytest
import yaml

from deep_speaker.config import Experiment, read_experiment
from deep_speaker.config.reading import write_experiment
from support.experiment_files import CONF, CONFIGS, EMBEDDED, refusal, write

OVERRIDES = sorted((CONF / "overrides").glob("*.yaml"))
XVECTOR = CONF / "xvector.yaml"


def override(tmp_path: Path, text: str, config: Path = EMBEDDED) -> Experiment:
    return read_experiment(config, [write(tmp_path / "override.yaml", text)])


def based(folder: Path, text: str, base: Path | str = EMBEDDED) -> Path:
    return write(folder / "mine.yaml", f"base: {base}\n{text}")


# Bases


def test_a_file_has_what_its_base_has_but_for_its_own_keys(tmp_path: Path) -> None:
    before = read_experiment(EMBEDDED).model_dump()
    path = based(tmp_path, "seed: 7\npretraining: {epochs: 2, schedule: {shape: step, initial: 1}}")
    after = read_experiment(path).model_dump()
    assert after["pretraining"]["schedule"] == {
        "initial": 1, "warmup_share": 0, "shape": "step", "factor": 0.95, "every_epochs": 10,
    }  # fmt: skip
    before["seed"], before["pretraining"]["epochs"] = 7, 2
    before["pretraining"]["schedule"] = after["pretraining"]["schedule"]
    assert after == before


def test_a_base_is_a_path_from_the_folder_of_the_file_and_may_have_one_too(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    lowest = based(tmp_path, "held_out: {max_speakers: 5}\nscoring: {lda_dim: 6}")
    middle = write(tmp_path / "a/middle.yaml", "base: ../mine.yaml\nscoring: {lda_dim: 7}")
    top = write(tmp_path / "a/b/top.yaml", "base: ../middle.yaml\nseed: 8")
    experiment = read_experiment(top)
    assert (experiment.held_out.max_speakers, experiment.scoring.lda_dim) == (5, 7)
    assert experiment.seed == 8
    assert read_experiment(lowest).scoring.lda_dim == 6
    assert read_experiment(middle).seed == 0


def test_a_file_may_have_fine_tuning_where_its_base_has_none_and_none_where_it_has(
    tmp_path: Path,
) -> None:
    assert read_experiment(based(tmp_path, "finetuning: null")).finetuning is None
    text = "finetuning: {loss: {name: triplet}, utterances_per_speaker: 2}"
    assert read_experiment(based(tmp_path, text, XVECTOR)).finetuning


def test_a_circle_of_bases_is_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "mine.yaml", tmp_path / "second.yaml"
    based(tmp_path, "", "second.yaml")
    write(second, "base: mine.yaml")
    assert refusal(first) == f"{first}: base: goes in a circle: {first} -> {second} -> {first}"
    own = based(tmp_path, "", "./mine.yaml")
    assert refusal(own).endswith(f": {own} -> {own}")


@pytest.mark.parametrize("base", ["nothing.yaml", ".", "3", "null", "[a, b]"])
def test_what_is_no_base_is_refused_with_its_line(tmp_path: Path, base: str) -> None:
    path = write(tmp_path / "mine.yaml", f"seed: 3\nbase: {base}")
    assert refusal(path).startswith(f"{path}:2: base: ")


def test_a_mistake_is_told_of_the_file_that_makes_it(tmp_path: Path) -> None:
    lower = based(tmp_path, "pretraining:\n  epoch: 3")
    upper = write(tmp_path / "upper.yaml", "base: mine.yaml\npretraining: {sampling: even}")
    said = refusal(upper)
    assert f"{lower}:3: pretraining.epoch: " in said
    assert f"{upper}:2: pretraining.sampling: " in said


# Overrides


def test_a_section_of_another_kind_replaces_the_whole(tmp_path: Path) -> None:
    text = "network: {name: tdnn, channels: 64}\nfeatures: {front_end: torchaudio}"
    experiment = override(tmp_path, text)
    assert experiment.network.model_dump() == {
        "name": "tdnn", "channels": 64, "pooled_channels": 1500, "pooling": "statistics",
        "embedding_dim": 512,
    }  # fmt: skip
    assert experiment.features.num_bins == 40


def test_fine_tuning_is_overridden_only_where_there_is_one(tmp_path: Path) -> None:
    text = "finetuning: {epochs: 1}"
    assert override(tmp_path, text).finetuning.epochs == 1  # type: ignore[union-attr]
    assert override(tmp_path, text, XVECTOR).finetuning is None
    assert override(tmp_path, "finetuning: null").finetuning is None
    assert override(tmp_path, "distillation: {epochs: 1}").distillation is None
    given = override(tmp_path, "distillation: {loss: {name: distillation}, epochs: 1}")
    assert given.distillation
    assert given.distillation.epochs == 1


def test_later_files_win(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{seed}.yaml", f"seed: {seed}") for seed in (1, 2)]
    assert read_experiment(EMBEDDED, paths).seed == 2


def test_an_override_has_no_base(tmp_path: Path) -> None:
    path = based(tmp_path, "")
    assert refusal(EMBEDDED, (path,)).startswith(f"{path}:1: base: ")


@pytest.mark.parametrize("overriding", OVERRIDES, ids=lambda path: path.stem)
@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_override_of_the_project_fits_every_experiment(
    config: Path, overriding: Path
) -> None:
    assert read_experiment(config, [overriding]).network


# One file


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_the_file_that_is_written_is_the_experiment_whole(config: Path, tmp_path: Path) -> None:
    output = tmp_path / "new/out.yaml"
    written = write_experiment(output, config)
    content = yaml.safe_load(output.read_text())
    assert "base" not in content
    assert list(content) == list(Experiment.model_fields)
    assert output.read_text().startswith(f"# {config}\n")
    assert not {"&", "*"} & set(output.read_text())
    assert read_experiment(output) == read_experiment(config) == written
    again = tmp_path / "again.yaml"
    write_experiment(again, output)
    assert again.read_text().splitlines()[1:] == output.read_text().splitlines()[1:]


def test_its_first_line_says_what_it_was_made_of(tmp_path: Path) -> None:
    few_steps, output = CONF / "overrides/few_steps.yaml", tmp_path / "out.yaml"
    settings = ["seed=3", "network={name: gru,\n  layers: 2}"]
    write_experiment(output, EMBEDDED, [few_steps], settings)
    first = output.read_text().splitlines()[0]
    made_of = f"{few_steps}, --set seed=3, --set network={{name: gru, layers: 2}}"
    assert first == f"# {EMBEDDED} with {made_of}"
    assert read_experiment(output) == read_experiment(EMBEDDED, [few_steps], settings)


def test_a_mistake_leaves_the_previous_file(tmp_path: Path) -> None:
    output = tmp_path / "out.yaml"
    write_experiment(output, EMBEDDED, settings=["seed=1"])
    wrong = write(tmp_path / "override.yaml", "pretraining: {epoch: 1}")
    with pytest.raises(ValueError, match=f"{wrong}:1: pretraining.epoch: "):
        write_experiment(output, EMBEDDED, [wrong])
    assert read_experiment(output).seed == 1


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    assert override(tmp_path, "\ufeffseed: 8\n").seed == 8
