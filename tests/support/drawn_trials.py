"""Speakers to draw trials of, and counts of what was drawn."""

import argparse
from collections import defaultdict

import numpy as np

from deep_speaker.trials.lists import Trial
from deep_speaker.trials.protocols import draw_lists, draw_trials


def make_speakers(*sizes: int) -> dict[str, str]:
    """utt2spk of speakers s00, s01, ... with so many utterances each."""
    return {f"s{i:02}-{j}": f"s{i:02}" for i, size in enumerate(sizes) for j in range(size)}


def draw(utt2spk: dict[str, str], kind: str = "all", limit: int = 10**6, seed: int = 0) -> list:
    return draw_trials(utt2spk, kind, limit, np.random.default_rng(seed))


def count_targets(trials: list[Trial]) -> int:
    return sum(trial.target for trial in trials)


def anchors_of(trials: list[Trial]) -> dict[str, list[Trial]]:
    anchors = defaultdict(list)
    for trial in trials:
        anchors[trial.enroll].append(trial)
    return anchors


def make_options(**changes: object) -> argparse.Namespace:
    defaults = {"trials": "all", "max_trials": 10**6, "enrolments": [], "identification": False}
    return argparse.Namespace(**defaults | changes)


def draw_all(utt2spk: dict[str, str], seed: int = 0, **changes: object) -> tuple[dict, dict]:
    return draw_lists(utt2spk, make_options(**changes), np.random.default_rng(seed))
