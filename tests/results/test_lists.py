"""Trial lists of results: lines of a table join their rows."""

from deep_speaker.results.lists import list_names, table_lines
from support.result_rows import make_row


def test_lines_join_a_list_its_same_sex_trials_and_its_partner() -> None:
    rows = [
        make_row(),
        make_row(backend="plda"),
        make_row(subset="same_sex", eer_percent=3.0),
        make_row(trials="one_plus_99", identification_accuracy_percent=90.0),
        make_row(trials="ar"),
    ]
    assert list_names(rows) == ["trials", "ar"]
    first, second = table_lines(rows, "trials")
    assert first == ("pretraining", "cosine", rows[0], rows[2], rows[3])
    assert second == ("pretraining", "plda", rows[1], {}, {})
