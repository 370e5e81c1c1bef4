"""The content of files as a sum, and the commit of a git tree."""

import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path


def content_sum(path: Path) -> str:
    """Return the SHA-256 of a file, computed once as long as it does not change."""
    status = path.stat()
    return _sum_once(path.resolve(), status.st_ino, status.st_size, status.st_mtime_ns)


@cache
def _sum_once(path: Path, number: int, size: int, changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recipe_commit(folder: Path) -> str | None:
    """Return the commit of a git tree, `-dirty` where files differ from it; None if it is none."""
    git = shutil.which("git")
    if not git or not (folder / ".git").exists():
        return None
    command = [git, "-C", str(folder), "describe", "--always", "--dirty", "--exclude=*"]
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}  # writes nothing
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return result.stdout.strip() or None
