"""Stages 5 and 6 on random x-vectors, on one thread: parse, score, write, read again, measure.

20,000 x-vectors of 512 dimensions, of 1,000 speakers; 1 % of the trials are targets.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_curve

from benchmarks.comparison import OURS, Comparison, Side, compare
from benchmarks.stage_6_memory import LIST, PREFIX, measure
from deep_speaker.kaldi.key_rows import KeyRows
from deep_speaker.scoring.crop_distances import crop_distance_scores
from deep_speaker.scoring.key_vectors import KeyVectors
from deep_speaker.scoring.list_scoring import score_list
from deep_speaker.scoring.score_files import read_scores, score_file
from deep_speaker.scoring.transforms import COSINE
from deep_speaker.scoring.vector_backend import VectorBackend
from deep_speaker.trials.table import read_trial_table

UTTERANCES, PER_SPEAKER, DIM, CROPS = 20000, 20, 512, 10
NAMES = [f"id{i // PER_SPEAKER:05d}-{i % PER_SPEAKER:05d}" for i in range(UTTERANCES)]
TRIALS, LOOP_TRIALS, MANY = 580000, 5000, 50_000_000


def write_list(scratch: Path, size: int) -> None:
    """Write a list of random trials into a folder."""
    rng, keys = np.random.default_rng(0), KeyRows(NAMES)
    labels = KeyRows(["nontarget", "target"])
    with (scratch / LIST).open("wb") as file:
        for start in range(0, size, 1 << 20):
            count = min(1 << 20, size - start)
            enroll, test = rng.integers(0, UTTERANCES, (2, count))
            same = rng.random(count) < 0.01
            of_speaker = enroll // PER_SPEAKER * PER_SPEAKER
            test[same] = of_speaker[same] + rng.integers(0, PER_SPEAKER, same.sum())
            is_target = (enroll // PER_SPEAKER == test // PER_SPEAKER).astype(int)
            space, end = (np.full((count, 1), octet, np.uint8) for octet in b" \n")
            words = keys.padded(enroll), space, keys.padded(test), space, labels.padded(is_target)
            lines = np.concatenate([*words, end], axis=1)
            file.write(lines.tobytes().translate(None, b"\0"))


def make_keys() -> KeyVectors:
    """Draw the x-vectors."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(UTTERANCES // PER_SPEAKER, DIM)).repeat(PER_SPEAKER, axis=0)
    vectors = (centres + 3 * rng.normal(size=(UTTERANCES, DIM))).astype(np.float32)
    rows = {name: row for row, name in enumerate(NAMES)}
    return KeyVectors(rows, vectors, [[row] for row in range(UTTERANCES)])


def compare_all(scratch: Path) -> list[Comparison]:
    """Compare scoring with its goal, error rates with scikit-learn, crops with a loop."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = [*_compare_steps(scratch), _compare_crops()]
    torch.set_num_threads(threads)
    return found


def _compare_steps(scratch: Path) -> list[Comparison]:
    write_list(scratch, TRIALS)
    trial_list, scored = scratch / LIST, score_file(scratch / PREFIX, scratch / LIST, "cosine")
    keys = make_keys()
    scorers = {"cosine": VectorBackend(COSINE, None, 1).scorer(keys)}

    def score() -> None:
        score_list(trial_list, keys, scorers, scratch / PREFIX)

    def read() -> None:
        trials = read_trial_table(trial_list)
        measure(read_scores(scored, trials), trials.is_target)

    def both() -> None:
        score()
        read()

    both()
    trials = read_trial_table(trial_list)
    scores, labels = read_scores(scored, trials), trials.is_target
    rates = {
        OURS: Side(lambda: measure(scores, labels), TRIALS),
        "roc_curve of scikit-learn": Side(lambda: roc_curve(labels, scores), TRIALS, 1),
    }
    size = f"{TRIALS:,} trials"
    done = {
        "5": (f"{size}: parse, cosine of 512, write", score, None),
        "6": (f"{size}: read list and scores, EER, minDCF", read, None),
        "5, 6": (f"{size}: all of this", both, float(TRIALS)),
    }
    found = [
        compare(stage, work, "trials", {OURS: Side(run, TRIALS)}, goal)
        for stage, (work, run, goal) in done.items()
    ]
    return [*found, compare("6", f"{size}: EER and minDCF", "trials", rates)]


def _compare_crops() -> Comparison:
    """Compare the mean distance of all pairs of 10 crops with one trial at a time in torch."""
    rng = np.random.default_rng(0)
    crops = rng.normal(size=(1000, CROPS, DIM)).astype(np.float32)
    enroll, test = rng.integers(0, len(crops), (2, LOOP_TRIALS))
    unit = crops / np.linalg.norm(crops, axis=2, keepdims=True)
    tensor = torch.from_numpy(crops)

    def score_in_a_loop() -> None:
        for i, j in zip(enroll.tolist(), test.tolist(), strict=True):
            pair = torch.nn.functional.normalize(tensor[[i, j]], dim=2)
            float(torch.cdist(*pair).mean())

    sides = {
        OURS: Side(lambda: crop_distance_scores(unit, enroll, test), LOOP_TRIALS),
        "a loop over trials in torch": Side(score_in_a_loop, LOOP_TRIALS, 8),
    }
    return compare("5", f"{LOOP_TRIALS:,} trials of {CROPS} crops", "trials", sides)


def measure_memory(scratch: Path) -> list[tuple[str, float, float]]:
    """Measure what a process of stage 6 holds of 50 million trials.

    Returns:
        What was done, megabytes at most, and how many were aimed at.
    """
    write_list(scratch, MANY)
    rows = {name: row for row, name in enumerate(NAMES)}
    keys = KeyVectors(rows, np.zeros((UTTERANCES, 1), np.float32), [[row] for row in rows.values()])
    rng = np.random.default_rng(0)
    scorers = {"cosine": lambda enroll, test: rng.normal(size=len(enroll))}
    score_list(scratch / LIST, keys, scorers, scratch / PREFIX)
    program = [sys.executable, str(Path(__file__).with_name("stage_6_memory.py")), str(scratch)]
    found = []
    for what, options, most in (("without", [], 1000.0), ("with", ["--intervals"], 3000.0)):
        run = subprocess.run([*program, *options], check=True, capture_output=True, text=True)
        work = f"stage 6 of {MANY:,} trials {what} intervals"
        found.append((work, float(run.stdout), most))
    return found
