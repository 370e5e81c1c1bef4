"""Mistakes in an experiment file, each explained in one line."""

import difflib
from typing import Any, NamedTuple

from deep_speaker.config.kinds import section_classes


class Mistake(NamedTuple):
    """The nested keys that a mistake is about, none where it is about several, and its text."""

    keys: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return f"{'.'.join(self.keys)}: {self.message}" if self.keys else self.message


def explain(detail: Any) -> Mistake:
    """Explain one of the errors of a pydantic ValidationError in the words of the file."""
    sections, *others = (list(section.model_fields) for section in section_classes())
    inside = [key for other in others for key in other]
    known = sections + inside
    kind, context, found = detail["type"], detail.get("ctx", {}), detail["input"]
    parts = list(map(str, detail["loc"]))
    unknown = parts.pop() if kind == "extra_forbidden" else None
    # Members of a union appear in the location by their tags or types, which no user wrote. A tag
    # may have the name of a section, but sections stand first.
    keys = tuple(
        part
        for depth, part in enumerate(parts)
        if part in (inside if depth else known) or part.isdigit()
    )
    if unknown is not None:
        return Mistake((*keys, unknown), _explain_unknown(unknown, known))
    if kind == "missing":
        return Mistake(keys, "missing")
    if kind == "union_tag_not_found" and isinstance(found, dict):
        return Mistake((*keys, _kind_key(context)), "missing")
    if kind == "union_tag_not_found":
        return Mistake(keys, f"expected keys and values, got {found!r}")
    if kind == "union_tag_invalid":
        message = f"expected {context['expected_tags']}, got {context['tag']!r}"
        return Mistake((*keys, _kind_key(context)), message)
    message = detail["msg"].removeprefix("Value error, ")
    return Mistake(keys, message if "error" in context else f"{message}, got {found!r}")


def _explain_unknown(key: str, known: list[str]) -> str:
    if key in known:
        return "unknown key in this place"
    near = difflib.get_close_matches(key, known, n=1)
    return "unknown key" + (f"; did you mean {near[0]}?" if near else "")


def _kind_key(context: dict[str, str]) -> str:
    """Return the key that tells a union's members apart; a function named `_<key>` may read it."""
    return context["discriminator"].strip("'_()")
