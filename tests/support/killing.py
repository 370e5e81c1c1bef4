"""Runs of the tiny recipe that are killed at random moments, and what they leave."""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from deep_speaker.system.origins import RECORD
from support.recipe import Recipe

# What differs between two good runs: times, logs, what is drawn with times in it, and the records
# of shards, which tell the times of files.
VOLATILE = (
    *(".lock", "log", "tensorboard", "stage_seconds", "train.log", "report.html", "history.json"),
    "shards",
)
REFUSED_S = 20  # the children of a killed run end within that, and with them its locks
STAGES = range(7)


@dataclass
class Kill:
    """A run of a stage that was killed, and the run after it.

    Attributes:
        seconds: after which it was killed.
        ended: it had ended by itself before.
        faults: files that were not whole after a kill, or not as they should be in the end.
    """

    stage: int
    seconds: float
    ended: bool
    faults: list[str] = field(default_factory=list)


class Undisturbed:
    """A run of the tiny recipe, stage by stage, with what was there before and after each.

    Attributes:
        seconds: that each stage took.
        names: of the files that were there after each stage.
        files: digests of all files that do not differ from run to run.
    """

    def __init__(self, recipe: Recipe, options: tuple[str, ...]) -> None:
        self.recipe, self.options = recipe, options
        self.seconds, self.names = [], []
        for stage in STAGES:
            self._copy(recipe.folder, self._kept(stage))
            began = time.monotonic()
            self.recipe.run(*self.words(stage))
            self.seconds.append(time.monotonic() - began)
            self.files = digest_files(recipe.folder)
            self.names.append(set(self.files))
        self._copy(recipe.folder, self._kept(len(STAGES)))

    def _kept(self, stage: int) -> Path:
        """Return the folder of what was there before a stage."""
        return self.recipe.folder.with_name(f"{self.recipe.folder.name}_before_{stage}")

    def _copy(self, source: Path, destination: Path) -> None:
        for top in ("data", "exp"):
            shutil.rmtree(destination / top, ignore_errors=True)
            if (source / top).is_dir():
                shutil.copytree(source / top, destination / top, symlinks=True)

    def words(self, stage: int) -> tuple[str, ...]:
        """Return the options of a run of one stage."""
        return (*self.options, "--stage", str(stage), "--stop-stage", str(stage))

    def kill(self, stage: int, rng: random.Random) -> Kill:
        """Kill a run of a stage at a random moment, then run it; compare.

        The stage runs for the first time, or again where all are finished.
        """
        self._copy(self._kept(rng.choice((stage, len(STAGES)))), self.recipe.folder)
        words = list(self.words(stage))
        if stage in (2, 3):
            words += ["--resume", rng.choice(("auto", "true"))]
        seconds = rng.uniform(0, self.seconds[stage])
        kill = Kill(stage, seconds, self._run_and_kill(words, seconds))
        kill.faults += [f"{name} is not whole" for name in self._differing()]
        self._run_again(words)
        kill.faults += [f"{name} differs" for name in self._differing()]
        missing = self.names[stage] - digest_files(self.recipe.folder).keys()
        kill.faults += [f"{name} is missing" for name in sorted(missing)]
        kill.faults += [f"{path} is left" for path in find_partial(self.recipe.folder)]
        return kill

    def compare_whole(self) -> list[str]:
        """Run all stages at once, from nothing, and return what differs from stage by stage."""
        for top in ("data", "exp"):
            shutil.rmtree(self.recipe.folder / top, ignore_errors=True)
        self.recipe.run(*self.options)
        missing = self.names[-1] - digest_files(self.recipe.folder).keys()
        return [f"{name} differs" for name in self._differing()] + [
            f"{name} is missing" for name in sorted(missing)
        ]

    def _differing(self) -> list[str]:
        found = digest_files(self.recipe.folder)
        return [name for name, digest in found.items() if self.files.get(name) != digest]

    def _run_and_kill(self, words: list[str], seconds: float) -> bool:
        process = subprocess.Popen(
            ["./run.sh", *words],
            cwd=self.recipe.folder,
            env=os.environ | {"VIRTUAL_ENV": sys.prefix},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False
        return True

    def _run_again(self, words: list[str]) -> None:
        deadline = time.monotonic() + REFUSED_S
        while True:
            try:
                self.recipe.run(*words)
                return
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)


def digest_files(folder: Path) -> dict[str, str]:
    """Return a digest of every file below data/ and exp/ that has its final name."""
    paths = [path for top in ("data", "exp") for path in (folder / top).rglob("*")]
    return {
        str(path.relative_to(folder)): digest(path)
        for path in sorted(paths)
        if path.is_file() and not is_volatile(path.relative_to(folder))
    }


def find_partial(folder: Path) -> list[Path]:
    """Find what a stage has not given its final name."""
    paths = [path for top in ("data", "exp") for path in (folder / top).rglob("*partial*")]
    return sorted(path.relative_to(folder) for path in paths)


def is_volatile(path: Path) -> bool:
    """Tell whether a file may differ between good runs, or has no final name."""
    unnamed = ("partial", "unfinished")
    return any(part in VOLATILE or any(word in part for word in unnamed) for part in path.parts)


def digest(path: Path) -> str:
    """Return a sum over a file; of a checkpoint, over its weights and state without times."""
    content = path.read_bytes()
    if path.suffix == ".gz":  # its header holds the time
        content = gzip.decompress(content)
    if path.name == RECORD:
        entries = json.loads(content)
        entries = {name: entries[name] for name in entries if name not in VOLATILE}
        content = json.dumps(entries).encode()
    if path.suffix == ".pt":
        state = torch.load(io.BytesIO(content), weights_only=True)
        parts = [state[name] for name in ("network", "loss", "optimiser", "epochs")]
        content = repr([flatten(part) for part in parts]).encode()
    return hashlib.sha256(content).hexdigest()


def flatten(state: object) -> object:
    """Return a state with its tensors as bytes."""
    if isinstance(state, torch.Tensor):
        return state.numpy().tobytes()
    if isinstance(state, dict):
        return {key: flatten(value) for key, value in state.items()}
    return [flatten(item) for item in state] if isinstance(state, list) else state
