"""Trial lists that lack targets or nontargets: their scores, as there are no error rates."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from deep_speaker.results.rows import ResultRow
from deep_speaker.scoring.score_files import find_score_files
from deep_speaker.trials.lists import find_trial_lists, read_trials

MOST_SHOWN = 10  # scores of a file


def describe_unjudged(
    data_dir: Path, score_dir: Path, phases: Sequence[str], rows: Sequence[ResultRow]
) -> list[str]:
    """Return the lines of every list without rows: why, and its scores where they are few.

    Raises:
        ValueError: scores are missing.
    """
    judged = {row["trials"] for row in rows}
    lines = []
    for name, path in find_trial_lists(data_dir).items():
        if name not in judged:
            trials = read_trials(path)
            targets = sum(trial.target for trial in trials)
            lines.append(
                f"{name}: {targets} target and {len(trials) - targets} nontarget trials, and error "
                "rates need both kinds. Scores (enroll, test, score):"
            )
            for phase in dict.fromkeys(phases):
                for scores in find_score_files(score_dir / phase, path).values():
                    lines += [f"{scores}:", *_first_lines(scores)]
    return lines


def _first_lines(path: Path) -> list[str]:
    """Return the first lines of a file, and whether there are more."""
    with path.open(encoding="utf-8-sig") as file:
        lines = [f"  {line.rstrip()}" for line in islice(file, MOST_SHOWN + 1)]
    return lines if len(lines) <= MOST_SHOWN else [*lines[:MOST_SHOWN], "  ..."]
