"""Stages 1, 4 and 5 of a tiny test set, here or on a cluster, and a cluster of two Dask workers."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from distributed import Client

import compute_features
import extract_embeddings
from deep_speaker.clusters.calls import kept_messages
from deep_speaker.clusters.options import add_cluster_options, open_cluster
from deep_speaker.config import read_experiment
from deep_speaker.embeddings import vector_shards
from deep_speaker.features import cutting
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.tables import read_table, write_table
from deep_speaker.networks.checkpoints import save_checkpoint
from deep_speaker.scoring import list_shards
from deep_speaker.scoring.list_scoring import score_phase
from deep_speaker.training.setup import build_trainer
from deep_speaker.trials.lists import write_trials
from support.programs import PACKAGE, wait_until
from support.scored_folders import experiment_of, make_folder, random_trials
from support.speech import snapshot
from support.stage_1_folders import audio_file, make_bad, write_test_set

CONFIG = Path(__file__).with_name("tiny.yaml")
BACKENDS = ("cosine", "plda", "cosine_as_norm")
QUEUE = Path(__file__).with_name("queue.pl")
TRAPPED = "spk8-0"


def short_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the work of all stages as if there were much of it."""
    monkeypatch.setattr(cutting, "SHORTEST", 2.25)
    monkeypatch.setattr(vector_shards, "SIZE", 20)
    monkeypatch.setattr(list_shards, "LINES", 300)


def prepare(folder: Path) -> None:
    """Write what the stages need: audio, some of it bad; a network; x-vectors, a list of 1000."""
    make_bad(write_test_set(folder) / "test")
    set_trap(folder, TRAPPED)
    make_folder(folder / "scored")
    write_trials(folder / "scored/test/trials", random_trials(1000))
    experiment, data_dir = read_experiment(CONFIG), folder / "training"
    shutil.copytree(folder / "test", data_dir)
    compute_data_dir(data_dir, experiment, 2)
    trainer = build_trainer(experiment, "pretraining", data_dir, None, torch.device("cpu"))
    save_checkpoint(folder / "best.pt", trainer.checkpoint(1, []))
    shutil.rmtree(data_dir)


class Made(NamedTuple):
    """What stages made, and what they logged; without records that hold times."""

    files: dict[str, bytes | None]
    messages: list[tuple[int, str]]


class Runs:
    """A folder in which the stages run again and again, from the same inputs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._inputs = folder / "run", folder / "inputs"
        prepare(self.folder)
        self.folder.rename(self._inputs)

    def __call__(self, *options: str, trap: bool = False) -> Made:
        """Run stages 1, 4 and 5; `trap`: a worker is killed in stage 1."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self._inputs, self.folder)
        if trap:
            (self.folder / "trap").touch()
        with pytest.MonkeyPatch.context() as monkeypatch, kept_messages() as messages:
            monkeypatch.chdir(self.folder)  # where the workers are is another matter
            run_stages(monkeypatch, *options)
        made = snapshot(self.folder).items()
        return Made({k: data for k, data in made if not re.search(r"gz$|shards/\d", k)}, messages)


def run_stages(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    """Run stages 1, 4 and 5 in the present folder, by their commands, with options of these."""
    config = ("--config", str(CONFIG), "--nj", "2", *options)
    monkeypatch.setattr(sys, "argv", ["tiny.py", *config, "test"])
    compute_features.main()
    precision = ("--precision", "float32", "--device", "auto")
    monkeypatch.setattr(sys, "argv", ["tiny.py", *config, *precision, "best.pt", "x", "test"])
    extract_embeddings.main()
    parser = argparse.ArgumentParser()
    add_cluster_options(parser)
    scored = Path("scored")
    sets = scored / "train", scored / "test"
    with open_cluster(parser.parse_args(options)) as cluster:
        score_phase(experiment_of(*BACKENDS), *sets, scored, "p", cluster=cluster)


def set_trap(folder: Path, utterance: str) -> None:
    """Have the worker that decodes an utterance be killed, if the file `trap` is there; once."""
    table = folder / "test/wav.scp"
    entries = read_table(table)
    path = audio_file(folder / "test", utterance)
    entries[utterance] = f"rm {folder}/trap 2> /dev/null && kill -9 $PPID; cat {path} |"
    write_table(table, entries)


def end_all(programs: list[subprocess.Popen]) -> None:
    for program in programs:
        program.kill()
        program.wait()


@contextmanager
def dask_programs(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """Start a scheduler and two workers; yield the address, and the workers."""
    file = folder / "scheduler.json"
    environment = os.environ | {"PYTHONPATH": str(PACKAGE)}
    common = "--scheduler-file", str(file), "--no-dashboard"

    def start(program: str, *options: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", program, *common, *options],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    with ExitStack() as stack:
        programs = [start("scheduler", "--host", "127.0.0.1", "--port", "0")]
        stack.callback(lambda: end_all(programs))
        for _ in range(2):
            options = "--nthreads", "1", "--no-nanny", "--local-directory", str(folder / "dask")
            programs.append(start("worker", *options))
        wait_until(file.exists)
        address = json.loads(file.read_text())["address"]
        with Client(address) as client:
            client.wait_for_workers(2, timeout=60)
        yield address, programs[1:]
