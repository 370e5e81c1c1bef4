"""What is there of an experiment, and whether it is what the config asks for now.

Each stage notes what its outputs were made of, by `system.origins`, with the sections of the config
that decided them (`sections_of`). The next one checks its inputs (`check_made`) before it uses
them. What stage 6 finds stale is marked.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deep_speaker.config.experiment import Experiment
from deep_speaker.config.folders import REPORT, RESULTS, SCORES, TABLES, VECTORS, vectors_file
from deep_speaker.config.phases import PHASES, Phase
from deep_speaker.config.stages import FEATURE_TABLES, Stage, stages_again
from deep_speaker.system.origins import Change, find_changes, find_origin

# What decides the frames that a network hears, and who trains it.
INPUT_SECTIONS = ("features", "voice_activity", "normalisation")
TRAINING_SECTIONS = (*INPUT_SECTIONS, "seed", "augmented_copies", "network", "held_out")


def is_there(phase: str, experiment_dir: Path) -> bool:
    """Tell whether a phase was trained; of a control, also whether its start is still there.

    Fine-tuning may have started from imported weights. A control never does: without pre-training
    it is left from a network that was removed.
    """
    if not (experiment_dir / str(PHASES[phase].checkpoint)).exists():
        return False
    if not PHASES[phase].is_control:
        return True
    (start,) = PHASES[phase].starts_from
    there = (experiment_dir / str(PHASES[start].checkpoint)).exists()
    if not there:
        logging.info("%s is left out: the %s that it started from is gone", phase, start)
    return there


def sections_of(experiment: Experiment, *names: str) -> dict[str, Any]:
    """Return sections of a config as records hold them."""
    return experiment.model_dump(mode="json", include=set(names))


def training_sections(experiment: Experiment, phase: Phase) -> dict[str, Any]:
    """Return the sections that decide the network of a phase, besides what it starts from."""
    own = (*phase.starts_from, str(phase.paced_by)) if phase.is_control else (phase.name,)
    return sections_of(experiment, *TRAINING_SECTIONS, *own)


def maker_of(output: Path) -> Stage:
    """Return the stage that makes a file, by its place."""
    folder = output.absolute().parent.name
    if output.name == VECTORS:
        return Stage.EMBEDDINGS
    if output.name in FEATURE_TABLES:
        return Stage.FEATURES
    if folder in PHASES:
        return PHASES[folder].stage
    if output.name in (RESULTS, TABLES, REPORT):
        return Stage.RESULTS
    return Stage.SCORES if folder == SCORES else Stage.PREPARATION


def check_made(output: Path, experiment: Experiment | None = None) -> None:
    """Refuse what was made by another config, or of other files than are there now.

    Only warn where a network is older than what it was trained on, or started from: to train it
    anew may take days, and stage 6 marks its rows. What has no record is taken as it is.

    Args:
        experiment: the config as it is asked for now; None: not to be compared.

    Raises:
        ValueError: says what has changed, and which stages to run anew.
    """
    asked = experiment.model_dump(mode="json") if experiment else {}
    tolerated: list[Change] = []
    refused: list[Change] = []
    for change in find_changes(output, settings=asked) if output.is_file() else ():
        of_network = maker_of(change.output) in (Stage.PRETRAINING, Stage.FINETUNING)
        (tolerated if of_network and change.source else refused).append(change)
    if refused:
        raise ValueError(describe_changes(refused, output))
    if tolerated:
        logging.warning("%s", describe_changes(tolerated, output))


def check_network(checkpoint: Path, folder: Path, experiment: Experiment) -> None:
    """Check a network of the experiment of a phase's folder; one from elsewhere is free.

    See `check_made`.
    """
    if checkpoint.absolute().parent.parent == folder.absolute().parent:
        check_made(checkpoint, experiment)


def first_stage(change: Change) -> Stage:
    """Return the first stage to run anew after a change."""
    made_by = maker_of(change.output)
    of_network = change.source is not None and change.source.suffix == ".pt"
    return Stage.EMBEDDINGS if made_by == Stage.SCORES and of_network else made_by


def describe_changes(changes: Sequence[Change], output: Path) -> str:
    """Return the first of some changes behind an output, and which stages mend all of them.

    First is what an early stage has made, as the others may follow from that.
    """
    first = min(changes, key=first_stage)
    earliest, last = first_stage(first), maker_of(output)
    again = earliest.again if earliest == last else stages_again(earliest, last)
    if first.source is None:
        return f"{first.reason}: {again} with this config, or take the config that made it"
    return f"{first.output} is stale, as {first.reason}: {again}"


def warn_of_stale(experiment_dir: Path, trained: Sequence[str], data_dir: Path) -> None:
    """Warn about x-vectors older than their network, which have no record to tell that later."""
    for phase in trained:
        checkpoint = experiment_dir / str(PHASES[phase].checkpoint)
        vectors = vectors_file(experiment_dir, phase, data_dir)
        unknown = vectors.is_file() and find_origin(vectors) is None
        if changes := find_changes(vectors, [checkpoint]) if unknown else []:
            logging.warning("%s", describe_changes(changes, vectors))
