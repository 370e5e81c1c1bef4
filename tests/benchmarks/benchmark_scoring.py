#!/usr/bin/env python3
"""Time and memory of stages 5 and 6 on random embeddings: each step of scoring a long trial list.

20,000 embeddings of 512 dimensions and 10 crops each, of 1,000 speakers; 1 % of the trials are
targets. For comparison the loop of voxceleb_trainer's evaluation, on the first of the trials.

    . ./path.sh; tests/benchmarks/benchmark_scoring.py 580000 50000000
"""

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from deep_speaker.metrics.detection_costs import min_dcf
from deep_speaker.metrics.error_rates import equal_error_rate, error_rates
from deep_speaker.metrics.intervals import SpeakerBootstrap
from deep_speaker.metrics.metric import RateMetric, ScoredTrials
from deep_speaker.metrics.registry import METRICS
from deep_speaker.scoring.backends import fit_backend
from deep_speaker.scoring.crop_distances import crop_distance_scores
from deep_speaker.scoring.key_vectors import KeyVectors
from deep_speaker.scoring.list_scoring import score_list
from deep_speaker.scoring.score_files import read_scores, score_file
from deep_speaker.scoring.vector_backend import score_pairs
from deep_speaker.trials.lists import iterate_trials
from deep_speaker.trials.table import find_rows, read_trial_table

UTTERANCES, PER_SPEAKER, DIM, CROPS = 20000, 20, 512, 10
LOOP_TRIALS = 5000
SCORED_ALONE = 580000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="+", type=int, help="numbers of trials, rising")
    rng = np.random.default_rng(0)
    rows = {f"id{i // PER_SPEAKER:05d}-{i % PER_SPEAKER:05d}": i for i in range(UTTERANCES)}
    speakers = np.arange(UTTERANCES) // PER_SPEAKER
    centres = rng.normal(size=(speakers[-1] + 1, DIM))[speakers]
    vectors = (centres + 3 * rng.normal(size=(UTTERANCES, DIM))).astype(np.float32)
    keys = KeyVectors(rows, vectors, [[row] for row in rows.values()])
    terms = fit_backend("cosine", vectors, speakers, 150)(vectors, np.ones(UTTERANCES))
    for size in parser.parse_args().sizes:
        print(f"{size} trials:")
        with TemporaryDirectory(dir=".") as scratch:
            trial_list, prefix = Path(scratch) / "trials", Path(scratch) / "benchmark"
            write_list(trial_list, size, list(rows), rng)

            def score(enroll: np.ndarray, test: np.ndarray) -> np.ndarray:
                return score_pairs(enroll, test, terms=terms, norm=None)

            with timed("stage 5, streamed: parse, score, write"):
                score_list(trial_list, keys, {"cosine": score}, prefix)
            with timed("  parse alone"):
                for block in iterate_trials(trial_list):
                    find_rows(block.enroll, rows), find_rows(block.test, rows)
            with timed("stage 6: parse the list"):
                trials = read_trial_table(trial_list)
            order = np.array([rows[name] for name in trials.names], dtype=np.int32)
            enroll, test = order[trials.enroll], order[trials.test]
            first = slice(min(size, SCORED_ALONE))
            seconds = time.perf_counter()
            score(enroll[first], test[first])
            seconds = time.perf_counter() - seconds
            print(f"  score alone: {seconds:.2f} s for {first.stop} trials")
            seconds *= size / first.stop
            with timed("stage 6: parse the scores"):
                scores = read_scores(score_file(prefix, trial_list, "cosine"), trials)
        with timed("stage 6: EER and minDCF"):
            rates = error_rates(scores, trials.is_target)
            equal_error_rate(rates), min_dcf(rates, 0.01)
        with timed("stage 6: intervals, preparation for a list"):
            bootstrap = SpeakerBootstrap(speakers[enroll], speakers[test], trials.is_target)
        with timed("stage 6: intervals of a row"):
            scored = ScoredTrials(scores, trials.is_target)
            of_rates = [metric for metric in METRICS if isinstance(metric, RateMetric)]
            bootstrap.intervals(scored, of_rates)
        compare_loop(enroll, test, size, seconds, rng)


def write_list(path: Path, size: int, names: list[str], rng: np.random.Generator) -> None:
    with path.open("w") as file:
        for start in range(0, size, 1 << 20):
            count = min(1 << 20, size - start)
            enroll = rng.integers(0, UTTERANCES, count)
            test = rng.integers(0, UTTERANCES, count)
            same = rng.random(count) < 0.01
            of_speaker = enroll // PER_SPEAKER * PER_SPEAKER
            test[same] = of_speaker[same] + rng.integers(0, PER_SPEAKER, same.sum())
            kinds = np.where(enroll // PER_SPEAKER == test // PER_SPEAKER, "target", "nontarget")
            file.writelines(
                f"{names[i]} {names[j]} {kind}\n"
                for i, j, kind in zip(enroll.tolist(), test.tolist(), kinds.tolist(), strict=True)
            )


@contextmanager
def timed(title: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  {title}: {time.perf_counter() - start:.2f} s (peak memory so far {peak:.0f} MB)")


def compare_loop(
    enroll: np.ndarray, test: np.ndarray, size: int, seconds: float, rng: np.random.Generator
) -> None:
    """One trial at a time: normalise both sides' crops, all distances, minus their mean."""
    crops = rng.normal(size=(1000, CROPS, DIM)).astype(np.float32)
    features = {i: torch.from_numpy(crops[i % 1000]) for i in range(UTTERANCES)}
    pairs = list(zip(enroll[:LOOP_TRIALS].tolist(), test[:LOOP_TRIALS].tolist(), strict=True))
    start = time.perf_counter()
    for i, j in pairs:
        one = torch.nn.functional.normalize(features[i], p=2, dim=1)
        other = torch.nn.functional.normalize(features[j], p=2, dim=1)
        distances = torch.cdist(one.reshape(CROPS, -1), other.reshape(CROPS, -1))
        -1 * np.mean(distances.detach().numpy())
    loop = (time.perf_counter() - start) / len(pairs) * size
    crops /= np.linalg.norm(crops, axis=2, keepdims=True)
    start = time.perf_counter()
    crop_distance_scores(crops, enroll[:LOOP_TRIALS] % 1000, test[:LOOP_TRIALS] % 1000)
    ours = (time.perf_counter() - start) / len(pairs) * size
    print(f"  a loop over trials of {CROPS} crops: {loop:.1f} s (of {len(pairs)} trials)")
    print(f"  the same by crop_distance: {ours:.1f} s, {loop / ours:.1f} times as fast")
    print(f"  by cosine: {seconds:.2f} s, {loop / seconds:.0f} times as fast")


if __name__ == "__main__":
    main()
