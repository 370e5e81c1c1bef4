"""Kinds of a section, such as the networks: their names, their classes, and the keys they share."""

import typing
from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Any

from pydantic import BaseModel

from deep_speaker.config.experiment import Experiment

# The keys that say of which kind a section is.
KIND_KEYS = ("name", "front_end", "detector", "shape")


def section_classes(section: type[BaseModel] = Experiment) -> Iterator[type[BaseModel]]:
    """Yield the class of a section, and those of the sections inside it, of every kind."""
    yield section
    for field in section.model_fields.values():
        for inside in _classes_in(field.annotation):
            yield from section_classes(inside)


def _classes_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (typing.Annotated, typing.Union, UnionType):
        return [found for part in typing.get_args(annotation) for found in _classes_in(part)]
    return []


@cache
def kind_classes() -> dict[tuple[str, object], type[BaseModel]]:
    """Return the classes by kind key and name; None names the kind that goes without saying."""
    kinds: dict[tuple[str, object], type[BaseModel]] = {}
    for section in section_classes():
        for key in KIND_KEYS:
            field = section.model_fields.get(key)
            for name in typing.get_args(field.annotation) if field else ():
                kinds[key, name] = section
            if field and not field.is_required():
                kinds[key, None] = section
    return kinds


def shared_keys(key: str, before: object, after: object) -> set[str]:
    """Return the keys that keep their meaning when a section goes over to another kind.

    They are those of the classes from which both are derived.

    >>> sorted(shared_keys("shape", "cosine", "step"))
    ['initial', 'warmup_share']
    >>> sorted(shared_keys("name", "am_softmax", "triplet"))
    []
    """
    classes = [
        kind_classes().get((key, name)) if isinstance(name, str | None) else None
        for name in (before, after)
    ]
    if classes[0] is None or classes[1] is None:
        return set()
    common = set(classes[0].__mro__) & set(classes[1].__mro__)
    return {name for base in common if issubclass(base, BaseModel) for name in base.model_fields}


def same_kind(section: Mapping[str, object], changes: Mapping[str, object]) -> bool:
    """Tell whether a section stays of its kind under these changes, and so keeps its keys.

    >>> same_kind({"name": "tdnn"}, {"channels": 64}), same_kind({"name": "tdnn"}, {"name": "gru"})
    (True, False)
    >>> same_kind({"num_mels": 30}, {"front_end": "kaldi"})
    True
    """
    defaults = {"name": None, "front_end": "kaldi", "detector": "energy"}
    return all(
        key not in changes or changes[key] == section.get(key, default)
        for key, default in defaults.items()
    )


def kind_first(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return keys and values with the kind of every section before its other keys.

    >>> kind_first({"schedule": {"initial": 0.05, "shape": "linear"}})
    {'schedule': {'shape': 'linear', 'initial': 0.05}}
    """
    ordered = sorted(content.items(), key=lambda item: item[0] not in KIND_KEYS)
    return {
        key: kind_first(value) if isinstance(value, Mapping) else value for key, value in ordered
    }
