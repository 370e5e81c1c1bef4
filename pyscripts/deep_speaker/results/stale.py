"""Rows whose scores are not of the present x-vectors."""

from collections.abc import Sequence

from deep_speaker.config.stages import Stage, stages_again
from deep_speaker.results.rows import ResultRow

MARK = " (stale)"


def name_backend(row: ResultRow) -> str:
    """Return the back end of a row, marked where its scores are stale.

    >>> name_backend({"backend": "plda", "stale": "xvector.ark was made anew since"})
    'plda (stale)'
    """
    return row["backend"] + (MARK if "stale" in row else "")


def describe_stale(rows: Sequence[ResultRow]) -> list[str]:
    """Return a line for each file that was made anew after scores were made of it."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        if "stale" in row:
            found.setdefault(row["stale"], {})[f"{row['phase']} by {row['backend']}"] = None
    remedy = (
        f"{stages_again(Stage.EMBEDDINGS, Stage.RESULTS)}; what other programs scored, score anew "
        "by them, or remove"
    )
    return [
        f"Stale, as {reason}: {', '.join(names)}. {remedy[0].upper()}{remedy[1:]}."
        for reason, names in found.items()
    ]
