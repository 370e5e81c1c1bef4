"""Experiments with some keys replaced, and the commands that run.sh asks about them."""

from pathlib import Path

import pytest
import yaml

import list_phases
import override_experiment as command
from deep_speaker.config import override_experiment, read_experiment

CONF = Path(__file__).parents[2] / "conf"
CONFIGS = sorted(CONF.glob("*.yaml"))
OVERRIDES = sorted((CONF / "overrides").glob("*.yaml"))


def override(tmp_path: Path, text: str, config: Path = CONF / "embedded.yaml") -> Path:
    (tmp_path / "override.yaml").write_text(text)
    override_experiment(config, [tmp_path / "override.yaml"], tmp_path / "out.yaml")
    return tmp_path / "out.yaml"


def test_a_key_replaces_its_own_and_leaves_the_sections_others(tmp_path: Path) -> None:
    before = read_experiment(CONF / "embedded.yaml").model_dump()
    after = read_experiment(
        override(tmp_path, "seed: 7\npretraining: {epochs: 2, schedule: {shape: step, initial: 1}}")
    ).model_dump()
    assert after["seed"] == 7
    assert after["pretraining"]["epochs"] == 2
    assert after["pretraining"]["schedule"]["shape"] == "step"
    for changed in ("epochs", "schedule"):
        before["pretraining"].pop(changed)
        after["pretraining"].pop(changed)
    assert after == before | {"seed": 7}


def test_a_section_of_another_kind_replaces_the_whole(tmp_path: Path) -> None:
    path = override(
        tmp_path, "network: {name: tdnn, channels: 64}\nfeatures: {front_end: torchaudio}"
    )
    experiment = read_experiment(path)
    assert experiment.network.model_dump() == {
        "name": "tdnn", "channels": 64, "pooled_channels": 1500, "pooling": "statistics",
        "embedding_dim": 512,
    }  # fmt: skip
    assert experiment.features.num_bins == 40


def test_fine_tuning_is_overridden_only_where_there_is_one(tmp_path: Path) -> None:
    text = "finetuning: {epochs: 1}"
    assert read_experiment(override(tmp_path, text)).finetuning.epochs == 1  # type: ignore[union-attr]
    alone = override(tmp_path, text, CONF / "resnetse34l.yaml")
    assert read_experiment(alone).finetuning is None
    assert read_experiment(override(tmp_path, "finetuning: null")).finetuning is None


def test_later_files_win(tmp_path: Path) -> None:
    paths = []
    for seed in (1, 2):
        paths.append(tmp_path / f"{seed}.yaml")
        paths[-1].write_text(f"seed: {seed}")
    override_experiment(CONF / "embedded.yaml", paths, tmp_path / "out.yaml")
    assert read_experiment(tmp_path / "out.yaml").seed == 2


def test_a_wrong_override_is_named_and_leaves_the_previous_file(tmp_path: Path) -> None:
    path = override(tmp_path, "seed: 1")
    with pytest.raises(
        ValueError, match=r"embedded.yaml with .*override.yaml: pretraining.epoch: unknown key"
    ):
        override(tmp_path, "pretraining: {epoch: 1}")
    assert read_experiment(path).seed == 1


@pytest.mark.parametrize("overriding", OVERRIDES, ids=lambda path: path.stem)
@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_override_of_the_project_fits_every_experiment(
    config: Path, overriding: Path, tmp_path: Path
) -> None:
    override_experiment(config, [overriding], tmp_path / "out.yaml")
    assert yaml.safe_load((tmp_path / "out.yaml").read_text())["network"]


def test_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few_steps, output = CONF / "overrides/few_steps.yaml", tmp_path / "new/out.yaml"
    words = ["override_experiment.py", CONF / "xvector.yaml", few_steps, output]
    monkeypatch.setattr("sys.argv", list(map(str, words)))
    command.main()
    assert read_experiment(output).pretraining.steps_per_epoch == 2
    for config, expected in (
        (output, "pretraining\n"),
        (CONF / "embedded.yaml", "pretraining finetuning pretraining_continued\n"),
    ):
        monkeypatch.setattr("sys.argv", ["list_phases.py", "--config", str(config)])
        list_phases.main()
        assert capsys.readouterr().out == expected
