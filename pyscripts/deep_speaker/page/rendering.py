"""Answers as HTML: the templates beside this file, in which names are escaped."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deep_speaker.voices.wording import percent


def render(template: str, **values: Any) -> str:
    """Return the HTML of templates/<template>.html.j2."""
    return environment().get_template(f"{template}.html.j2").render(**values)


@cache
def environment() -> Environment:
    """Return the templates."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["percent"] = percent
    return found
