"""A copy of the recipe, which tests run as users do."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# With enough held-out speakers to calibrate by.
TINY_CORPUS = "--num-train-speakers 24 --num-test-speakers 4 --num-utterances 4"
# Options by which a recipe gives the same whenever it runs, and those of a tiny one.
REPEATABLE = ("--precision", "float32", "--threads", "1")
REPEATABLE_TINY = ("--nj", "2", *REPEATABLE, "--prepare-options", TINY_CORPUS)


class Recipe:
    """A copy of the recipe in a folder of its own; it uses the environment the tests run in."""

    def __init__(self, folder: Path, tiny: bool = False) -> None:
        """Copy it; `tiny`: with an experiment of seconds as the default one."""
        self.folder = folder
        for name in ("run.sh", "path.sh", "requirements.txt"):
            shutil.copy(ROOT / name, folder / name)
        for name in ("local", "pyscripts", "conf"):
            shutil.copytree(ROOT / name, folder / name)
        if tiny:
            shutil.copy(ROOT / "tests/support/tiny.yaml", folder / "conf/embedded.yaml")
        (folder / "tests/support").mkdir(parents=True)
        for config in (ROOT / "tests/support").glob("tiny*.yaml"):
            shutil.copy(config, folder / "tests/support")

    def run(self, *options: str, expect: int = 0) -> str:
        """Run run.sh, check its exit status, and return all it printed."""
        result = subprocess.run(
            ["./run.sh", *options],
            cwd=self.folder,
            env=os.environ | {"VIRTUAL_ENV": sys.prefix},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert result.returncode == expect, result.stdout
        assert "Traceback" not in result.stdout
        return result.stdout

    def digests(self) -> dict[str, str]:
        """Digests of all results that two runs shall share: tables, arks, scores, results."""
        patterns = (
            "data/*/test/trials*",
            "data/*/*/*/*.ark",
            "exp/*/*/**/*.ark",
            "exp/*/*/scores/*",
        )
        paths = [path for pattern in patterns for path in self.folder.glob(pattern)]
        paths += self.folder.glob("exp/*/*/results.json")
        assert len(paths) > 20
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(paths)
        }
