"""Experiment files: YAML to `Experiment`, every mistake explained in one line."""

import difflib
import types
import typing
from collections.abc import Sequence
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError

from deep_speaker.config.experiment import Experiment
from deep_speaker.system.files import replacing_file


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML whose keys come once: PyYAML itself silently takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} comes twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def read_experiment(path: Path) -> Experiment:
    """Read and check an experiment file.

    Raises:
        ValueError: one line that names the file, the key, its value and the remedy.
    """
    return _validate(read_yaml(path), str(path))


def override_experiment(path: Path, overrides: Sequence[Path], output: Path) -> None:
    """Write the experiment file `path` with the keys of each override in place of its own.

    Raises:
        ValueError: the result is no experiment; nothing is written then.
    """
    content = read_yaml(path)
    for override in overrides:
        for name, value in read_yaml(override).items():
            if name == "finetuning" and value and not content.get(name):
                continue
            before = content.get(name)
            if isinstance(before, dict) and isinstance(value, dict) and same_kind(before, value):
                value = before | value
            content[name] = value
    origin = " with ".join(map(str, [path, *overrides]))
    _validate(content, origin)
    with replacing_file(output) as file:
        file.write(f"# {origin}\n")
        yaml.safe_dump(content, file, sort_keys=False)


def same_kind(section: dict[str, typing.Any], override: dict[str, typing.Any]) -> bool:
    """Whether a section and its override are of one kind, and so have the same keys.

    >>> same_kind({"name": "tdnn"}, {"channels": 64}), same_kind({"name": "tdnn"}, {"name": "gru"})
    (True, False)
    >>> same_kind({"num_mels": 30}, {"front_end": "kaldi"})
    True
    """
    defaults = {"name": None, "front_end": "kaldi"}
    return all(
        key not in override or override[key] == section.get(key, default)
        for key, default in defaults.items()
    )


def _validate(content: dict[str, typing.Any], origin: str) -> Experiment:
    try:
        return Experiment.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{origin}: {'; '.join(map(_explain, error.errors()))}") from None


def read_yaml(path: Path) -> dict[str, typing.Any]:
    """The keys and values of a YAML file."""
    if not path.is_file():
        raise ValueError(f"{path}: no such experiment file; see conf/")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected keys and values, found {content!r}")
    return content


def _explain(detail: typing.Any) -> str:
    keys = _known_keys()
    parts, kind, context = list(map(str, detail["loc"])), detail["type"], detail.get("ctx", {})
    unknown = parts.pop() if kind == "extra_forbidden" else None
    # Members of a union appear in the location by their tags or types, which no user wrote.
    location = [part for part in parts if part in keys or part.isdigit()]
    key = ".".join(location if unknown is None else [*location, unknown])
    if unknown in keys:
        return f"{key}: unknown key in this place"
    if unknown is not None:
        near = difflib.get_close_matches(unknown, keys, n=1)
        return f"{key}: unknown key" + (f"; did you mean {near[0]}?" if near else "")
    if kind == "missing":
        return f"{key}: missing"
    if kind == "union_tag_not_found" and isinstance(detail["input"], dict):
        return f"{key}.{_discriminator(context)}: missing"
    if kind == "union_tag_not_found":
        return f"{key}: expected keys and values, got {detail['input']!r}"
    if kind == "union_tag_invalid":
        expected, found = context["expected_tags"], context["tag"]
        return f"{key}.{_discriminator(context)}: expected {expected}, got {found!r}"
    message = detail["msg"].removeprefix("Value error, ")
    if "error" not in context:
        message += f", got {detail['input']!r}"
    return f"{key}: {message}" if key else message


def _discriminator(context: dict[str, str]) -> str:
    """The key that tells the members of a union apart; a function named `_<key>` may read it."""
    return context["discriminator"].strip("'_()")


def _known_keys(section: type[BaseModel] = Experiment) -> list[str]:
    keys: list[str] = []
    for name, field in section.model_fields.items():
        keys.append(name)
        for member in _flatten(field.annotation):
            keys += _known_keys(member)
    return keys


def _flatten(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (typing.Annotated, typing.Union, types.UnionType):
        return [found for part in typing.get_args(annotation) for found in _flatten(part)]
    return []
