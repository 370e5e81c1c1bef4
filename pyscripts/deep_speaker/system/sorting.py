"""Text files that may not fit in memory, sorted by the system's sort."""

import os
import shutil
import subprocess
from pathlib import Path

MEMORY = "256M"  # more lines than fit are merged from temporary files beside the file


def sort_lines(path: Path, unique: bool = False) -> None:
    """Sort the lines of a file by their bytes, as Kaldi sorts; equal ones become one if `unique`.

    Raises:
        OSError: the disk is full, or there is no program `sort`.
    """
    program = shutil.which("sort")
    if program is None:
        raise OSError("the program sort (of coreutils) is not installed")
    words = [program, "-S", MEMORY, "-T", str(path.parent), "-o", str(path)]
    result = subprocess.run(
        [*words, *(["-u"] if unique else []), str(path)],
        env=os.environ | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise OSError(f"{path}: could not be sorted: {result.stderr.strip()}")
