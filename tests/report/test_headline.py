"""The headline: the final phase, the lowest row, and the floor to measure them by."""

from deep_speaker.report.headline import find_headline, headline_lists


def test_the_headline_is_the_final_phase_beside_the_lowest_row_and_its_back_end_s_floor() -> None:
    rows = [
        {"trials": "trials", "subset": subset, "phase": phase, "backend": backend,
         "eer_percent": error, "interval_95": {"eer_percent": [error / 2, 2 * error]}}
        for subset, phase, backend, error in (
            ("all", "statistics", "plda", 0.4),
            ("all", "untrained", "cosine", 0.5),
            ("all", "statistics", "cosine", 1.0),
            ("same_sex", "pretraining", "cosine", 0.1),
            ("all", "pretraining", "cosine", 3.0),
            ("all", "pretraining", "plda", 2.0),
        )
    ]  # fmt: skip
    found = find_headline(rows, "trials", "pretraining")
    assert (found.main, found.lowest, found.floor) == (rows[4], rows[5], rows[1])
    assert (found.text(found.main), found.is_below_floor) == ("3.00", False)
    assert found.interval == "[1.50, 6.00]"
    assert find_headline(rows[:5], "trials", "pretraining").lowest is None
    others = [row | ({"backend": "lda"} if row is rows[4] else {}) for row in rows]
    assert find_headline(others, "trials", "pretraining").floor == rows[0]
    better = [row | ({"eer_percent": 0.3} if row is rows[4] else {}) for row in rows]
    assert find_headline(better, "trials", "pretraining").is_below_floor
    alone = find_headline(rows[1:2], "trials", "untrained")
    assert (alone.main, alone.lowest, alone.floor) == (rows[1], None, None)


def test_lists_for_verification_come_first_in_line() -> None:
    rows = [{"trials": name} for name in ("one_plus_99", "ar", "identification", "ar")]
    assert headline_lists(rows) == ["ar"]
    assert headline_lists([{"trials": "identification"}]) == ["identification"]
