"""Rows whose scores are not of the present x-vectors."""

from collections.abc import Collection, Sequence

from deep_speaker.config.stages import Stage, stages_again
from deep_speaker.results.rows import ResultRow
from deep_speaker.scoring.score_files import OWN_BACKENDS

MARK = " (stale)"


def name_backend(row: ResultRow) -> str:
    """Return the back end of a row, marked where its scores are stale.

    >>> name_backend({"backend": "plda", "stale": "xvector.ark was made anew since"})
    'plda (stale)'
    """
    return row["backend"] + (MARK if "stale" in row else "")


def describe_stale(rows: Sequence[ResultRow]) -> list[str]:
    """Return a line for each phase and file that was made anew after scores were made of it."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        if "stale" in row:
            found.setdefault((row["stale"], row["phase"]), {})[row["backend"]] = None
    return [
        f"Stale, as {reason}: {phase} by {', '.join(names)}. {find_remedy(names)}."
        for (reason, phase), names in found.items()
    ]


def find_remedy(backends: Collection[str]) -> str:
    """Say how scores by some back ends become those of the present x-vectors."""
    again = stages_again(Stage.EMBEDDINGS, Stage.RESULTS)
    remedies = {
        f"{again[0].upper()}{again[1:]}": OWN_BACKENDS.intersection(backends),
        "Let other programs score anew, or remove their scores": set(backends) - OWN_BACKENDS,
    }
    return ". ".join(remedy for remedy, names in remedies.items() if names)
