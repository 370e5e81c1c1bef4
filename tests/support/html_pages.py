"""Reports of experiments, and what is in their HTML."""

from html.parser import HTMLParser

from deep_speaker.report.page import write_report
from support.report_experiments import PHASES, Made

VOID = {"meta", "br", "link", "img", "hr", "input", "use", "path"}


class Page(HTMLParser):
    """Text, start tags and attributes of a page; fails where tags do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.open = "", set(), []  # type: ignore[var-annotated]
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attributes

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read_report(made: Made) -> str:
    """Return the page of an experiment."""
    return (made.experiment_dir / "report.html").read_text()


def report(made: Made, phases: list[str] = PHASES) -> str:
    """Write the page of an experiment, and return it."""
    write_report(made.data_dir, made.experiment_dir, phases)
    return read_report(made)
