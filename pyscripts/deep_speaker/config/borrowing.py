"""An experiment that is there, borrowed to judge other speech: its networks and training x-vectors.

The folder that gets the results links to them, so that stages 4 to 6 find all in one place.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from deep_speaker.config.folders import CONFIG, SCORES, data_dir_of, vectors_file
from deep_speaker.config.phases import PHASES, all_phases
from deep_speaker.config.reading import write_experiment
from deep_speaker.config.stages import Stage
from deep_speaker.config.unfinished import check_finished
from deep_speaker.system.origins import why_stale

BEST, INITIAL = "best.pt", "initial.pt"  # of a phase: what stage 4 embeds by, where it began
NEEDED = ("utt2spk", "feats.scp")  # of the training set: for back ends, and for floors


def borrow(source: Path, target: Path) -> tuple[Path, list[str]]:
    """Link the networks of an experiment, and their training x-vectors, into another folder.

    Its config gets the one that the experiment was scored by, or else trained by. Floors of
    statistics are computed anew, which takes seconds.

    Returns:
        Its training set, and the phases that have a network.

    Raises:
        ValueError: it lacks something, or `target` has an experiment of its own.
    """
    train_dir, trained = find_train_dir(source), find_trained(source)
    check_finished(Stage.SCORES, data_dir_of(source), source, trained)
    imported = "initial_model" in trained
    networks = all_phases(trained, imported, fitted=False)
    check_vectors(source, networks, train_dir)
    names = [f"{phase}/{BEST}" for phase in trained]
    names += [] if imported else [f"{trained[0]}/{INITIAL}"]
    for name in names + [f"{phase}/xvectors_train" for phase in networks]:
        link(target / name, source / name)
    scored_by = source / SCORES / CONFIG
    write_experiment(target / CONFIG, scored_by if scored_by.is_file() else source / CONFIG)
    return train_dir, trained


def find_train_dir(source: Path) -> Path:
    """Return the training set of an experiment.

    Raises:
        ValueError: it is gone, or its features are.
    """
    folder = Path(os.path.relpath(data_dir_of(source) / "train"))
    for name in NEEDED:
        if not (folder / name).is_file():
            raise ValueError(
                f"--experiment {source}: {folder / name} of its training set is gone, and back "
                "ends and floors are fitted on that: prepare it as before, or judge a network "
                f"alone, --initial-model {source}/<phase>/{BEST}"
            )
    return folder


def find_trained(source: Path) -> list[str]:
    """Return the phases of an experiment that have a network.

    Raises:
        ValueError: there is none.
    """
    found = [name for name, phase in PHASES.items() if phase.checkpoint]
    trained = [name for name in found if (source / name / BEST).is_file()]
    if not trained:
        raise ValueError(f"--experiment {source}: no phase of it has a {BEST}: train it first")
    return trained


def check_vectors(source: Path, phases: Sequence[str], train_dir: Path) -> None:
    """Refuse an experiment whose training x-vectors are missing, or not of its networks."""
    again = f"run stage {Stage.EMBEDDINGS:d} of {source} first, by the command that made it"
    for phase in phases:
        vectors = vectors_file(source, phase, train_dir)
        if not vectors.is_file():
            raise ValueError(f"--experiment {source}: {vectors} is missing: {again}")
        checkpoint = PHASES[phase].checkpoint
        reason = why_stale(vectors, [source / checkpoint] if checkpoint else [])
        if reason:
            raise ValueError(f"--experiment {source}: {vectors} is stale, as {reason}: {again}")


def link(place: Path, to: Path) -> None:
    """Make `place` a link to a file or folder; one that was a link is replaced."""
    if place.is_symlink():
        place.unlink()
    elif place.exists():
        raise ValueError(
            f"{place} is of an experiment of its own, which --experiment would replace: choose "
            "another --name"
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(os.path.relpath(to.resolve(), place.parent.resolve()))
