"""What stage 6 holds of a scored list, in a process of its own: prints its most megabytes."""

import argparse
from pathlib import Path

import numpy as np

from deep_speaker.metrics.detection_costs import min_dcf
from deep_speaker.metrics.error_rates import equal_error_rate, error_rates
from deep_speaker.metrics.intervals import SpeakerBootstrap
from deep_speaker.metrics.metric import RateMetric, ScoredTrials
from deep_speaker.metrics.registry import METRICS
from deep_speaker.scoring.score_files import read_scores, score_file
from deep_speaker.trials.table import read_trial_table

LIST, PREFIX = "trials", "benchmark"


def measure(scores: np.ndarray, is_target: np.ndarray) -> tuple[float, float]:
    """Return EER and minDCF."""
    rates = error_rates(scores, is_target)
    return equal_error_rate(rates), min_dcf(rates, 0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with the list, scored")
    parser.add_argument("--intervals", action="store_true")
    options = parser.parse_args()
    trials = read_trial_table(options.folder / LIST)
    scored = score_file(options.folder / PREFIX, options.folder / LIST, "cosine")
    scores = read_scores(scored, trials)
    measure(scores, trials.is_target)
    if options.intervals:
        speakers = np.array([int(name[2:7]) for name in trials.names], np.int32)
        sides = speakers[trials.enroll], speakers[trials.test]
        of_rates = [metric for metric in METRICS if isinstance(metric, RateMetric)]
        bootstrap = SpeakerBootstrap(*sides, trials.is_target)
        bootstrap.intervals(ScoredTrials(scores, trials.is_target), of_rates)
    # Not getrusage, which counts what the process that started this one held.
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


if __name__ == "__main__":
    main()
