"""What an interrupted run has left: no stage goes on with it as if it were whole."""

from collections.abc import Iterable
from pathlib import Path

from deep_speaker.config.phases import PHASES
from deep_speaker.config.stages import Stage


def check_finished(stage: int, data: Path, experiment_dir: Path, trained: Iterable[str]) -> None:
    """Refuse to begin with a stage while one before it has begun and not ended.

    run.sh marks a stage in the folder that it writes: data/<name>, or from pre-training on the
    experiment's. A phase of training has its own mark, the folder <phase>.partial.

    Args:
        trained: the phases of the run.

    Raises:
        ValueError: one has not ended.
    """
    for before in range(stage):
        folder = data if before < Stage.PRETRAINING else experiment_dir
        mark = folder / f"stage_{before}.unfinished"
        if mark.is_file():
            _refuse(Stage(before), mark, "to go on with what an earlier run made")
    for phase in trained:
        partial = experiment_dir / f"{phase}.partial"
        # Without an earlier one, the stage that needs it says that it is missing.
        if PHASES[phase].stage < stage and partial.is_dir() and (experiment_dir / phase).is_dir():
            _refuse(PHASES[phase].stage, partial, f"to go on with the {phase} of an earlier run")


def _refuse(before: Stage, mark: Path, purpose: str) -> None:
    raise ValueError(
        f"stage {before:d} ({before.makes}) was begun and has not ended, see {mark}: run the same "
        f"command with --stage {before:d}; or remove {mark} {purpose}"
    )
