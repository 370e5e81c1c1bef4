"""Trials of three speakers with scores by hand, their results, and intervals computed apart."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deep_speaker.kaldi.tables import write_table
from deep_speaker.metrics.intervals import SpeakerBootstrap
from deep_speaker.metrics.metric import ScoredTrials
from deep_speaker.results.computation import compute_rows
from deep_speaker.results.rows import nest
from support.speaker_effects import verification_metrics

# Speakers a and b are men, c is a woman.
TRIALS = """\
a1 a2 target 0.9
b1 b2 target 0.8
c1 c2 target 0.3
a1 b1 nontarget 0.5
a1 c1 nontarget 0.4
b1 c1 nontarget 0.1
"""
ONE_PLUS_99 = """\
a1 a2 target 0.9
a1 b1 nontarget 0.5
a1 c1 nontarget 0.4
b2 b1 target 0.4
b2 a1 nontarget 0.2
b2 c1 nontarget 0.6
c1 c2 target 0.3
c1 b1 nontarget 0.3
c1 a1 nontarget 0.1
"""


def write_scored(
    data_dir: Path, score_dir: Path, phases: dict[str, float], prefix: str = "trials"
) -> None:
    """Write the trials, and per phase the scores times a factor."""
    for name, text in ((prefix, TRIALS), (f"{prefix}_one_plus_99", ONE_PLUS_99)):
        lines = [line.split() for line in text.splitlines()]
        (data_dir / name).write_text("".join(f"{a} {b} {kind}\n" for a, b, kind, _ in lines))
        for phase, factor in phases.items():
            (score_dir / f"{phase}.{name}.cosine").write_text(
                "".join(f"{a} {b} {factor * float(score)}\n" for a, b, _, score in lines)
            )


def write_scores(data_dir: Path, name: str, text: str, phase: str = "good") -> None:
    """Write a list of lines 'a1 a2 target 0.9', and the scores of a phase."""
    lines = [line.split() for line in text.splitlines()]
    (data_dir / name).write_text("".join(f"{a} {b} {kind}\n" for a, b, kind, _ in lines))
    scores = "".join(f"{a} {b} {score}\n" for a, b, _, score in lines)
    (data_dir.parent / f"scores/{phase}.{name}.cosine").write_text(scores)


def make_data_dir(tmp_path: Path) -> Path:
    """Make test/ with the lists, and scores/ beside it, of the phases `good` and `reversed`."""
    folder = tmp_path / "test"
    write_table(folder / "utt2spk", {f"{speaker}{i}": speaker for speaker in "abc" for i in "12"})
    write_table(folder / "spk2gender", {"a": "m", "b": "m", "c": "f"})
    (tmp_path / "scores").mkdir()
    write_scored(folder, tmp_path / "scores", {"good": 1, "reversed": -1})
    return folder


CODES = {"a": 0, "b": 1, "c": 2}


def intervals_of(text: str, scale: float | None = None, offset: float = 0) -> Any:
    """Return the intervals of lines 'a1 a2 target 0.9', as rows hold them.

    Args:
        text: the lines, with names that begin with those of their speakers.
        scale: of the log likelihood ratios; without it there are none.
        offset: likewise.
    """
    lines = [line.split() for line in text.splitlines()]
    enroll, test = (np.array([CODES[line[i][0]] for line in lines]) for i in (0, 1))
    is_target = np.array([line[2] == "target" for line in lines])
    scores = np.array([float(line[3]) for line in lines])
    trials = ScoredTrials(scores, is_target, None if scale is None else scale * scores + offset)
    found = SpeakerBootstrap(enroll, test, is_target).intervals(
        trials, verification_metrics(trials)
    )
    return nest(
        {keys: interval and pytest.approx(interval, abs=1e-5) for keys, interval in found.items()}
    )


def row_of(data_dir: Path, name: str, subset: str = "all") -> dict:
    """Compute the one row of a list and subset by the scores of the phase `good`."""
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
    (row,) = [row for row in rows if (row["trials"], row["subset"]) == (name, subset)]
    return row


def write_backend(data_dir: Path, backend: str, factor: float, phase: str = "good") -> None:
    """Write scores of a phase by a further back end: its cosines times a factor."""
    for path in (data_dir.parent / "scores").glob(f"{phase}.*.cosine"):
        rows = [line.split() for line in path.read_text().splitlines()]
        lines = [f"{a} {b} {factor * float(score)}\n" for a, b, score in rows]
        path.with_suffix(f".{backend}").write_text("".join(lines))
