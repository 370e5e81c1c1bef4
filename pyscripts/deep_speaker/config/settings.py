"""Settings of single keys on the command line: `--set pretraining.epochs=3`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deep_speaker.config.kinds import KIND_KEYS, shared_keys
from deep_speaker.config.layers import PHASES_TO_LEAVE_OUT, depth_of
from deep_speaker.config.yaml_text import parse_yaml


@dataclass(frozen=True)
class Setting:
    """A value for the last of some nested keys."""

    keys: tuple[str, ...]
    value: Any
    text: str

    def __str__(self) -> str:
        return f"--set {self.text}"

    def as_content(self) -> dict[str, Any]:
        """Return it as the keys and values of a file."""
        content = self.value
        for key in reversed(self.keys):
            content = {key: content}
        return content


def parse_setting(text: str) -> Setting:
    """Parse `a.b.c=value`, where the value is YAML.

    >>> parse_setting("pretraining.loss.margin=3e-1").value
    0.3
    """
    name, equals, value = text.partition("=")
    keys, shown = tuple(key.strip() for key in name.split(".")), " ".join(text.split())
    if not equals or not all(keys) or not value.strip():
        raise ValueError(
            f"--set {shown}: expected <key>.<key>=<value>, such as pretraining.epochs=3 or "
            "finetuning=null"
        )
    return Setting(keys, parse_yaml(value, f"--set {shown}"), shown)


def apply_settings(content: dict[str, Any], settings: Sequence[Setting]) -> dict[str, Any]:
    """Return keys and values with each setting in turn in place of what was there.

    Missing sections are made. Where a setting names another kind of a section, such as another
    loss, the section's other keys go, unless they mean the same to both kinds.
    """
    for setting in settings:
        content = _set(content, setting, 0)
    for index, setting in enumerate(settings):
        later = [other.keys for other in settings[index + 1 :]]
        replaced = any(setting.keys[: len(keys)] == keys for keys in later)
        if not replaced and depth_of(setting.keys, content) < len(setting.keys):
            raise ValueError(f"{setting}: a later --set names another kind: give that one first")
    return content


def _set(section: dict[str, Any], setting: Setting, depth: int) -> dict[str, Any]:
    """Return a section with the value at the keys from `depth` on; the given one stays as it is."""
    key = setting.keys[depth]
    if depth + 1 == len(setting.keys):
        if depth and key in KIND_KEYS:
            kept = shared_keys(key, section.get(key), setting.value)
            section = {name: value for name, value in section.items() if name in kept}
        return section | {key: setting.value}
    inside = section.get(key)
    if inside is None and depth == 0 and key in PHASES_TO_LEAVE_OUT:
        raise ValueError(
            f"{setting}: the experiment has no {key}; --set '{key}={{loss: ...}}' gives it one, "
            "whole"
        )
    if inside is not None and not isinstance(inside, dict):
        name = ".".join(setting.keys[: depth + 1])
        raise ValueError(f"{setting}: {name} is no section, but {inside!r}")
    return section | {key: _set(inside or {}, setting, depth + 1)}
