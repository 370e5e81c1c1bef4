#!/usr/bin/env python3
"""Time and memory of stages 5 and 6 on random x-vectors: each step of scoring a long trial list.

20,000 x-vectors of 512 dimensions, of 1,000 speakers; 1 % of the trials are targets. Seconds
are of processor time, all on one thread. The memory is that of a process that does stage 6 alone.

    . ./path.sh; tests/benchmarks/scoring.py 580000 50000000
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from deep_speaker.kaldi.key_rows import KeyRows
from deep_speaker.metrics.detection_costs import min_dcf
from deep_speaker.metrics.error_rates import equal_error_rate, error_rates
from deep_speaker.metrics.intervals import SpeakerBootstrap
from deep_speaker.metrics.metric import RateMetric, ScoredTrials
from deep_speaker.metrics.registry import METRICS
from deep_speaker.scoring.crop_distances import crop_distance_scores
from deep_speaker.scoring.key_vectors import KeyVectors
from deep_speaker.scoring.list_scoring import score_list
from deep_speaker.scoring.score_files import read_scores, score_file
from deep_speaker.scoring.transforms import COSINE
from deep_speaker.scoring.vector_backend import VectorBackend
from deep_speaker.trials.table import read_trial_table

UTTERANCES, PER_SPEAKER, DIM, CROPS = 20000, 20, 512, 10
NAMES = [f"id{i // PER_SPEAKER:05d}-{i % PER_SPEAKER:05d}" for i in range(UTTERANCES)]
LIST, PREFIX = "trials", "benchmark"
LOOP_TRIALS = 5000
Seconds = dict[str, list[float]]


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


def time_steps(scratch: Path, rounds: int = 5) -> Seconds:
    """Return the seconds of each step for the list of a folder, round by round.

    The last, `all`, is of the steps before it together.
    """
    trial_list, scored = scratch / LIST, score_file(scratch / PREFIX, scratch / LIST, "cosine")
    keys = make_keys()
    scorers = {"cosine": VectorBackend(COSINE, None, 1).scorer(keys)}
    names = ("score: parse, cosine, write", "read the list", "read the scores", "EER and minDCF")
    found: Seconds = {name: [] for name in (*names, "all")}
    for _ in range(rounds):
        times = [time.process_time()]
        score_list(trial_list, keys, scorers, scratch / PREFIX)
        times.append(time.process_time())
        trials = read_trial_table(trial_list)
        times.append(time.process_time())
        scores = read_scores(scored, trials)
        times.append(time.process_time())
        measure(scores, trials.is_target)
        times.append(time.process_time())
        for name, seconds in zip(found, [*np.diff(times), times[-1] - times[0]], strict=True):
            found[name].append(float(seconds))
    return found


def measure(scores: np.ndarray, is_target: np.ndarray) -> tuple[float, float]:
    """Return EER and minDCF."""
    rates = error_rates(scores, is_target)
    return equal_error_rate(rates), min_dcf(rates, 0.01)


def time_intervals(scratch: Path, rounds: int = 5) -> Seconds:
    """Return the seconds of a list's preparation, and of a row's intervals, of a scored folder."""
    trials = read_trial_table(scratch / LIST)
    scores = read_scores(score_file(scratch / PREFIX, scratch / LIST, "cosine"), trials)
    speakers = np.array([int(name[2:7]) for name in trials.names], np.int32)
    sides = speakers[trials.enroll], speakers[trials.test]
    of_rates = [metric for metric in METRICS if isinstance(metric, RateMetric)]
    found: Seconds = {"intervals: the list": [], "intervals: a row": []}
    for _ in range(rounds):
        start = time.process_time()
        bootstrap = SpeakerBootstrap(*sides, trials.is_target)
        middle = time.process_time()
        bootstrap.intervals(ScoredTrials(scores, trials.is_target), of_rates)
        found["intervals: the list"].append(middle - start)
        found["intervals: a row"].append(time.process_time() - middle)
    return found


def peak_memory(scratch: Path, intervals: bool) -> float:
    """Return the most megabytes of stage 6 for a scored folder, in a process of its own."""
    command = [sys.executable, __file__, "--stage-6", str(scratch), *["--intervals"] * intervals]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def run_stage_6(scratch: Path, intervals: bool) -> None:
    """Do stage 6 for a scored folder, and print the most megabytes of this process."""
    if intervals:
        time_intervals(scratch, rounds=1)
    else:
        trials = read_trial_table(scratch / LIST)
        scores = read_scores(score_file(scratch / PREFIX, scratch / LIST, "cosine"), trials)
        measure(scores, trials.is_target)
    # Not getrusage, which counts what the process that started this one held.
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def time_crops(rounds: int = 5) -> Seconds:
    """Return the seconds of trials of 10 crops: ours, and one trial at a time in torch."""
    import torch  # not above: the memory of stage 6 is measured, which does without

    def score_in_a_loop() -> list[float]:
        """Return the mean distance of all pairs of crops, trial by trial."""
        tensor = torch.from_numpy(crops)
        return [
            -float(torch.cdist(*torch.nn.functional.normalize(tensor[[i, j]], dim=2)).mean())
            for i, j in zip(enroll.tolist(), test.tolist(), strict=True)
        ]

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    crops = rng.normal(size=(1000, CROPS, DIM)).astype(np.float32)
    enroll, test = rng.integers(0, len(crops), (2, LOOP_TRIALS))
    unit = crops / np.linalg.norm(crops, axis=2, keepdims=True)
    return {
        f"crop_distance, {LOOP_TRIALS} trials": repeat(
            lambda: crop_distance_scores(unit, enroll, test), rounds
        ),
        f"loop over {LOOP_TRIALS} trials of crops": repeat(score_in_a_loop, rounds),
    }


def repeat(function: Callable[[], object], rounds: int) -> list[float]:
    """Return the seconds that a function takes, round by round."""
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[580000], help="numbers of trials")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stage-6", type=Path, help="a scored folder: stage 6 alone, its memory")
    parser.add_argument("--intervals", action="store_true", help="with --stage-6: of intervals")
    options = parser.parse_args()
    if options.stage_6:
        return run_stage_6(options.stage_6, options.intervals)
    for size in options.sizes:
        with TemporaryDirectory(dir=".") as name:
            scratch = Path(name)
            write_list(scratch, size)
            found = time_steps(scratch, options.rounds) | time_intervals(scratch, options.rounds)
            print(f"{size} trials:")
            for step, seconds in found.items():
                spread = f"{min(seconds):.3f} to {max(seconds):.3f}"
                print(f"  {step}: {median(seconds):.3f} s ({spread})")
            for intervals in (False, True):
                title = f"stage 6 {'with' if intervals else 'without'} intervals"
                print(f"  {title}: {peak_memory(scratch, intervals):.0f} MB")
    for step, seconds in time_crops(options.rounds).items():
        print(f"{step}: {median(seconds):.3f} s")
    return None


if __name__ == "__main__":
    main()
