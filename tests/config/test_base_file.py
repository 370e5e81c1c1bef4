"""conf/base.yaml shows all that an experiment may say; the other files say what differs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from deep_speaker.config import (
    AugmentedCopies,
    Experiment,
    TeacherTraining,
    Training,
    read_experiment,
)
from deep_speaker.config.kinds import KIND_KEYS, kind_classes, section_classes
from support.experiment_files import CONF, CONFIGS, names_in

BASE = CONF / "base.yaml"
TEXT = BASE.read_text()
CONTENT = yaml.safe_load(TEXT)
# Sections that may be null, of one kind each.
WITHOUT_KIND: dict[str, type[BaseModel]] = {
    "augmented_copies": AugmentedCopies,
    "distillation": TeacherTraining,
}


def sections_in_comments() -> list[tuple[str, dict[str, Any]]]:
    """Return the sections in comments, by their name, as they are without the hashes."""
    blocks = re.findall(r"^ {0,2}# (\w+:.*\n(?: *#   .*\n)*)", TEXT, re.MULTILINE)
    sections = [yaml.safe_load(re.sub("^ *# ", "", block, flags=re.MULTILINE)) for block in blocks]
    return [pair for section in sections for pair in section.items()]


def kind_of(section: dict[str, Any]) -> tuple[str, object] | None:
    return next(((key, section[key]) for key in KIND_KEYS if key in section), None)


def test_every_key_is_shown() -> None:
    assert list(CONTENT) == list(Experiment.model_fields)
    assert set(CONTENT["pretraining"]) == set(Training.model_fields)
    assert set(CONTENT["finetuning"]) == set(Training.model_fields) - {"patience"}
    keys = {key for section in section_classes() for key in section.model_fields}
    assert keys == {key for key in keys if re.search(rf"\b{key}:\s", TEXT)}


def test_every_name_to_choose_from_is_shown() -> None:
    names = {
        str(name)
        for section in section_classes()
        for field in section.model_fields.values()
        for name in names_in(field.annotation)
    }
    assert names == {name for name in names if re.search(rf"\b{name}\b", TEXT)}


def test_every_kind_is_shown() -> None:
    pretraining = CONTENT["pretraining"]
    used = [CONTENT[name] for name in ("features", "voice_activity", "network")]
    used += [pretraining["loss"], pretraining["schedule"]]
    shown = {kind_of(section) for section in used}
    in_comments = [section for _, section in sections_in_comments()]
    in_comments += [section["loss"] for section in in_comments if "loss" in section]
    shown |= {kind_of(section) for section in in_comments}
    # Kinds of one class have the same keys: one of them stands for all.
    classes = kind_classes()
    assert {classes.get(kind) for kind in shown if kind} >= {
        section for (key, _), section in classes.items() if section.__name__ != "Optimiser"
    }


@pytest.mark.parametrize(
    ("name", "section"), sections_in_comments(), ids=lambda value: str(value)[:40]
)
def test_a_section_in_comments_is_whole_and_has_its_defaults(
    name: str, section: dict[str, Any]
) -> None:
    kind = kind_of(section)
    section_class = kind_classes()[kind] if kind else WITHOUT_KIND[name]
    assert set(section) == set(section_class.model_fields)
    needed = {key: section[key] for key in (*KIND_KEYS, "base") if key in section}
    if section_class is TeacherTraining:
        needed["loss"] = {"name": "distillation"}
    assert section_class.model_validate(section) == section_class.model_validate(needed)


@pytest.mark.parametrize(
    "config", [path for path in CONFIGS if path != BASE], ids=lambda path: path.stem
)
def test_a_file_says_only_what_differs_from_its_base(config: Path) -> None:
    content = yaml.safe_load(config.read_text())
    base = read_experiment(config.parent / content.pop("base")).model_dump(mode="json")
    own = read_experiment(config).model_dump(mode="json")
    for name, section in content.items():
        if not isinstance(section, dict) or base[name] is None:
            assert own[name] != base[name]
        elif kind_of(own[name]) == kind_of(base[name]):  # another one stands there whole
            same = {key for key in section if own[name][key] == base[name][key]}
            assert not same, f"{name}: {same}"


def test_lines_fit() -> None:
    for path in [*CONFIGS, *CONF.glob("overrides/*.yaml")]:
        assert max(map(len, path.read_text().splitlines())) <= 100, path
