"""What the results of a test set without training speakers lack."""

from collections.abc import Sequence
from pathlib import Path

from deep_speaker.config.phases import FITTED_FLOORS
from deep_speaker.config.scoring import UNFITTED
from deep_speaker.metrics.metric import LlrMetric
from deep_speaker.metrics.registry import METRICS
from deep_speaker.scoring.score_files import configured_backends


def describe_left_out(data_dir: Path, backends: Sequence[str]) -> str | None:
    """Say what is left out where there are no training speakers; None where there are some.

    Args:
        data_dir: data/<name>/test; beside it data/<name>/train, unless stage 0 prepared it alone.
        backends: of the experiment.
    """
    if data_dir.with_name("train").exists():
        return None
    fitted = [name for name in backends if name not in UNFITTED]
    figures = [each.title for each in METRICS if isinstance(each, LlrMetric) and each.title]
    parts = [f"the floors {', '.join(FITTED_FLOORS)}"]
    parts += [f"the back ends {', '.join(fitted)}"] if fitted else []
    parts += [f"the calibrated figures {', '.join(figures)}"]
    return (
        f"Left out, since {data_dir.parent} has no training speakers to fit them on: "
        f"{'; '.join(parts)}."
    )


def notes_of_left_out(data_dir: Path, score_dir: Path, phases: Sequence[str]) -> list[str]:
    """Return what `describe_left_out` says of imported weights that were scored, if anything."""
    if "initial_model" not in phases or not set(phases).isdisjoint(FITTED_FLOORS):
        return []
    note = describe_left_out(data_dir, configured_backends(score_dir))
    return [note] if note else []
