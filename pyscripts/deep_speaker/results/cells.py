"""Figures of a table's line as text, by the titles of their columns."""

from deep_speaker.metrics.metric import ListKind, Metric
from deep_speaker.metrics.registry import shown_metrics
from deep_speaker.results.lists import TableLine
from deep_speaker.results.rows import ResultRow, interval_of, value_of

NOTHING = "-"


def figure_cells(line: TableLine, kind: ListKind) -> dict[str, str]:
    """Return the figures of a line of a list of some kind.

    First percents, the main one with its interval and of same-sex trials as well, then costs, then
    those of the list's partner.
    """
    main, *others = shown_metrics(kind)
    row = line.everything
    interval = format_interval(interval_of(row, *main.keys), main.digits) or NOTHING
    cells = {main.title: format_figure(row, main), "95 %": interval}
    cells |= {metric.title: format_figure(row, metric) for metric in others if metric.percent}
    cells[f"same-sex {main.title}"] = format_figure(line.same_sex, main)
    cells |= {metric.title: format_figure(row, metric) for metric in others if not metric.percent}
    if kind == "verification":
        partner = shown_metrics("one_plus_99")
        cells |= {metric.title: format_figure(line.one_plus_99, metric) for metric in partner}
    return cells


def format_figure(row: ResultRow, metric: Metric) -> str:
    """Return a metric of a row with its digits.

    >>> from deep_speaker.metrics.registry import METRICS
    >>> format_figure({"eer_percent": 1.5}, METRICS[0]), format_figure({}, METRICS[0])
    ('1.50', '-')
    """
    value = value_of(row, *metric.keys)
    return NOTHING if value is None else f"{value:.{metric.digits}f}"


def format_interval(interval: tuple[float, float] | None, digits: int) -> str:
    """Return an interval in brackets.

    >>> format_interval((0.5, 1.25), 2), format_interval(None, 2)
    ('[0.50, 1.25]', '')
    """
    return "" if interval is None else f"[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
