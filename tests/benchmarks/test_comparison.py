"""Comparisons by a clock that only the sides move, and what is said of them."""

import pytest

from benchmarks import comparison, machine
from benchmarks.comparison import OURS, Comparison, Side, compare
from benchmarks.report import notes, table


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """Ours takes 2 s but for the first and the last round, the other one 3 s."""
    now = 0.0
    ours = iter([9.0, 2.0, 2.0, 2.0, 2.0, 4.0])

    def take(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(comparison.time, "perf_counter", lambda: now)
    sides = {OURS: Side(lambda: take(next(ours)), 10), "other": Side(lambda: take(3.0), 10, 1.6)}
    return compare("1", "features", "hours", sides, goal=4)


def test_speeds_are_medians_of_the_rounds_after_the_first(found: Comparison) -> None:
    assert found.sides[OURS].seconds == [2, 2, 2, 2, 4]
    assert found.sides[OURS].speed == 5
    assert found.sides[OURS].spread == 0
    assert found.ratio("other") == 1.5


def test_what_falls_short_is_told(found: Comparison) -> None:
    assert found.missed() == ["1.50 of the speed of other, wanted 1.6"]
    found.load = 0
    assert notes([found]) == ["1, features: 1.50 of the speed of other, wanted 1.6"]
    found.goal = 6
    assert "5 hours, wanted 6" in found.missed()


def test_a_loaded_machine_is_told(found: Comparison) -> None:
    found.load = machine.LOADED + 0.2
    assert "other processes took 25 % of the cores" in notes([found])[0]


def test_the_table_has_a_row_for_the_goal_and_each_other_side(found: Comparison) -> None:
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in table([found]).splitlines()
    ]
    assert rows[2][-1] == "4"
    assert rows[3][3:] == ["5.00 ±0 %", "other", "3.33 ±0 %", "1.50", "1.6"]
    assert len(rows) == 4
