"""Rows whose scores are not of the present networks, x-vectors, trials or config."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from deep_speaker.config.folders import SCORES
from deep_speaker.config.made import first_stage
from deep_speaker.config.stages import Stage, stages_again
from deep_speaker.results.rows import ResultRow
from deep_speaker.scoring.score_files import CALIBRATION_TRIALS, OWN_BACKENDS, score_file
from deep_speaker.system.origins import NOTHING, Change, find_changes

MARK = " (stale)"


def name_backend(row: ResultRow) -> str:
    """Return the back end of a row, marked where its scores are stale.

    >>> name_backend({"backend": "plda", "stale": "xvector.ark was made anew since"})
    'plda (stale)'
    """
    return row["backend"] + (MARK if "stale" in row else "")


def find_stale(
    files: Sequence[Path],
    inputs: Sequence[Path] = (),
    asked: Mapping[str, Any] = NOTHING,
    by_records: bool = False,
) -> dict[str, Any]:
    """Return the keys `stale` and `stale_stage` of a row: what has changed, and who mends it.

    None where nothing has changed.

    Args:
        files: of its scores.
        inputs, asked, by_records: see `find_changes`.
    """
    return as_keys([
        change for path in files for change in find_changes(path, inputs, asked, by_records)
    ])  # fmt: skip


def mark_stale(results: Path, rows: Sequence[ResultRow]) -> list[ResultRow]:
    """Return the rows of results.json, and mark those whose scores are others by now, too.

    By records alone, as there may be many experiments: what other programs replaced is not seen.
    """
    changes = find_changes(results, by_records=True)
    anew = {change.source.resolve(): change for change in changes if change.source}
    marked = []
    for row in rows:
        name = row["trials"] if row["trials"] == "trials" else f"trials_{row['trials']}"
        prefix = results.parent / SCORES / row["phase"]
        lists = (Path(name), Path(CALIBRATION_TRIALS))
        files = [score_file(prefix, path, row["backend"]) for path in lists]
        since = [anew[path.resolve()] for path in files if path.resolve() in anew]
        before = find_stale([path for path in files if path.is_file()], by_records=True)
        marked.append((before or as_keys(since)) | row)
    return marked


def as_keys(changes: Sequence[Change]) -> dict[str, Any]:
    """Return the keys of a row that changes make stale; of several, the first to be mended."""
    if not changes:
        return {}
    first = min(changes, key=first_stage)
    return {"stale": first.reason, "stale_stage": int(first_stage(first))}


def describe_stale(rows: Sequence[ResultRow]) -> list[str]:
    """Return a line for each phase and file that was made anew after scores were made of it."""
    found: dict[tuple[str, str, int], dict[str, None]] = {}
    for row in rows:
        if "stale" in row:
            stage = row.get("stale_stage", Stage.EMBEDDINGS)
            found.setdefault((row["stale"], row["phase"], stage), {})[row["backend"]] = None
    return [
        f"Stale, as {reason}: {phase} by {', '.join(names)}. {find_remedy(names, Stage(stage))}."
        for (reason, phase, stage), names in found.items()
    ]


def find_remedy(backends: Collection[str], stage: Stage) -> str:
    """Say how scores by some back ends become those of what is there now, from a stage on."""
    last = Stage.RESULTS
    again = stages_again(stage, last) if stage < last else last.again
    remedies = {
        f"{again[0].upper()}{again[1:]}": OWN_BACKENDS.intersection(backends),
        "Let other programs score anew, or remove their scores": set(backends) - OWN_BACKENDS,
    }
    return ". ".join(remedy for remedy, names in remedies.items() if names)
