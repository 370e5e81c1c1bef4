"""Pickles by which commands and their workers pass work; nobody else writes in those folders."""

import pickle
from pathlib import Path
from typing import Any

from deep_speaker.system.files import replacing_file


def write_pickle(path: Path, content: object) -> None:
    """Write what `read_pickle` reads."""
    with replacing_file(path, "wb") as file:
        pickle.dump(content, file)


def read_pickle(path: Path) -> Any:
    """Read what a command or worker of this recipe wrote a moment ago."""
    return pickle.loads(path.read_bytes())
