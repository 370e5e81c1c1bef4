"""YAML as experiment files have it: each key once, `3e-3` a number, mistakes with their line."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from deep_speaker.system.files import read_utf8

LONGEST_SCALAR = 1000  # characters; numbers of thousands of digits cannot be printed
MOST_VALUES = 10_000  # with those that aliases repeat: a few lines can stand for billions


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML whose keys come once: PyYAML itself silently takes the last."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Construct a value; of what PyYAML cannot, tell the line."""
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, RecursionError):
            raise
        except Exception as error:  # a value that does not fit its tag can raise nearly anything
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                problem=f"a value is no {kind}", problem_mark=node.start_mark
            ) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value!r} comes twice", problem_mark=key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


# PyYAML itself takes numbers without a dot, or without a sign after the e, for text.
UniqueKeyLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def parse_yaml(text: str, origin: str) -> Any:
    """Return the value that a text of YAML stands for.

    Raises:
        ValueError: it is not YAML; one line, with `origin`, and the line where there are several.

    >>> parse_yaml("{name: softmax, scale: 2e1}", "--set")
    {'name': 'softmax', 'scale': 20.0}
    """
    try:
        loader = UniqueKeyLoader(text)
        node = loader.get_single_node()
        check_size(node, {})
        return None if node is None else loader.construct_document(node)
    except RecursionError as error:
        raise ValueError(f"{origin}: not YAML: nested too deeply") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark and "\n" in text else ""
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise ValueError(f"{origin}{line}: not YAML: {problem}") from error


def check_size(node: yaml.Node | None, sizes: dict[int, int]) -> int:
    """Return how many values a node stands for.

    Args:
        sizes: of nodes already seen, by `id`; 0 of those that are being counted.

    Raises:
        YAMLError: they are too many or too long, or a value holds itself.
    """
    if node is None:
        return 0
    if id(node) not in sizes:
        sizes[id(node)] = 0
        parts = [] if isinstance(node, yaml.ScalarNode) else node.value
        below = [each for part in parts for each in (part if isinstance(part, tuple) else [part])]
        sizes[id(node)] = 1 + sum(check_size(each, sizes) for each in below)
    size = sizes[id(node)]
    too_long = isinstance(node, yaml.ScalarNode) and len(node.value) > LONGEST_SCALAR
    if size == 0 or size > MOST_VALUES or too_long:
        problem = "a value holds itself" if size == 0 else "more values than any experiment has"
        problem = "a value is too long" if too_long else problem
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    return size


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the keys and values of a YAML file."""
    if not path.is_file():
        raise ValueError(f"{path}: no such experiment file; see conf/")
    content = parse_yaml(read_utf8(path), str(path))
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected keys and values, found {content!r}")
    return content


class LineDumper(yaml.SafeDumper):
    """YAML with a line per key, so that two files can be compared, and lists in a line."""


LineDumper.add_representer(
    list,
    lambda dumper, items: dumper.represent_sequence(
        "tag:yaml.org,2002:seq", items, flow_style=True
    ),
)


def format_yaml(content: Mapping[str, Any]) -> str:
    """Return keys and values as YAML, in their order.

    >>> print(format_yaml({"scoring": {"backends": ["cosine", "lda"], "lda_dim": 9}}), end="")
    scoring:
      backends: [cosine, lda]
      lda_dim: 9
    """
    return yaml.dump(content, Dumper=LineDumper, sort_keys=False, width=100)


def line_of(path: Path, keys: Sequence[str]) -> int:
    """Return the line, from 1, of the last of these nested keys that the YAML file has."""
    node, line = yaml.compose(read_utf8(path), UniqueKeyLoader), 1
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        found = [(name, value) for name, value in pairs if name.value == key]
        if not found:
            break
        line, node = found[0][0].start_mark.line + 1, found[0][1]
    return line
