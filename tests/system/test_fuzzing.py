"""A few cases of what tests/fuzz.py does at length, the same ones every time."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from support.fuzzed_readers import TARGETS
from support.fuzzing import DAMAGE, Target, damage, try_case

CASES = 25


@pytest.mark.parametrize("name", TARGETS)
def test_damage_is_read_or_refused_as_documented(name: str, tmp_path: Path) -> None:
    target = TARGETS[name](tmp_path)
    outcomes = []

    @settings(
        max_examples=CASES, derandomize=True, deadline=None, database=None,
        phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.sampled_from(sorted(target.files)), DAMAGE)
    def run(file: str, edits: Any) -> None:
        outcomes.append(try_case(target, file, edits))

    run()
    assert any(outcomes)  # some are refused; and all of a file as it should be is read
    for file in target.files:
        assert not try_case(target, file, [])


def test_what_a_reader_should_not_do_is_found(tmp_path: Path) -> None:
    def run_it(folder: Path) -> None:
        if b"touch ran" in (folder / "x").read_bytes():
            (folder / "ran").touch()

    def divide(folder: Path) -> None:
        1 / len((folder / "x").read_bytes())

    def break_line(folder: Path) -> None:
        raise ValueError("two\nlines")

    for read, edits, error in (
        (run_it, [("insert", 0.5, b"touch ran |", 1)], AssertionError),
        (divide, [("cut", 0.0, b"", 1)], ZeroDivisionError),
        (break_line, [], AssertionError),
    ):
        with pytest.raises(error):
            try_case(Target({"x": b"content"}, read), "x", edits)
    assert not try_case(Target({"x": b"content"}, divide), "x", [])
    assert not [*Path(tempfile.gettempdir()).glob("ran"), *tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("edit", "content"),
    [
        (("replace", 0.4, b"XY", 1), b"01XY4"),
        (("insert", 0.4, b"XY", 1), b"01XY234"),
        (("delete", 0.2, b"", 2), b"034"),
        (("cut", 0.4, b"", 1), b"01"),
        (("repeat", 0.0, b"", 1), b"00" + b"1234"),
        (("flip", 0.0, b"", 1), b"21234"),
    ],
)
def test_edits(edit: Any, content: bytes) -> None:
    assert damage(b"01234", [edit]) == content
