"""The uploads of each open page, which are deleted when it is closed."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Uploads:
    """What was given on the pages that are open.

    Attributes:
        of_page: the paths of each page's recordings.
    """

    of_page: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def remember(self, page: str, paths: Iterable[str]) -> None:
        """Note that a page holds these."""
        self.of_page[page].update(paths)

    def forget(self, page: str) -> None:
        """Delete what only this page holds: the same recording, given twice, lies there once."""
        paths = self.of_page.pop(page, set())
        for path in paths.difference(*self.of_page.values()):
            Path(path).unlink(missing_ok=True)
