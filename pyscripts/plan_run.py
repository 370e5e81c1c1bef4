#!/usr/bin/env python3
"""Resolve the options of run.sh, and print what its stages work on, as lines name=value.

Writes the whole experiment to <experiment>/resolved.yaml. With --experiment links what other speech
is judged by into the folder exp/<name>/<its name>; see config.borrowing. Values:

  data, experiment   data/<name> and exp/<name>/<config>.<override>...<setting>...<weights>
  config             the resolved experiment file
  fitted_on          the training set that back ends and floors are fitted on; there or not
  train_set          the folder of data/<name> that trains: train, or train_augmented; or none
  initial_checkpoint the checkpoint of imported weights, or of a slimmed teacher, if any
  slims_teacher      true, where it is that of the teacher, which stage 2 slims
  start              untrained, or initial_model: the phase that training starts from
  trained            the phases that are trained, in order
  trained_in_2       those of them that stage 2 trains; trained_in_3: likewise
  <phase>_from       the checkpoint that each of them starts from; none: random weights
  phases             all phases, floors first
  last               the phase whose x-vectors are the experiment's
"""

import argparse
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from deep_speaker.config import Experiment, write_experiment
from deep_speaker.config.borrowing import borrow
from deep_speaker.config.folders import CONFIG, RESOLVED
from deep_speaker.config.made import is_there, warn_of_stale
from deep_speaker.config.naming import name_experiment
from deep_speaker.config.phases import (
    PHASES,
    all_phases,
    final_phase,
    start_of,
    trained_phases,
)
from deep_speaker.config.stages import Stage
from deep_speaker.config.unfinished import check_finished
from deep_speaker.system import command
from deep_speaker.system.locks import locked


def main() -> None:
    options = parse_options()
    values = plan_judging(options) if options.experiment else plan_experiment(options)
    for name, value in values.items():
        print(f"{name}={value}")


def plan_experiment(options: argparse.Namespace) -> dict[str, object]:
    """Return the values of an experiment of its own."""
    layers = options.config, options.override, options.set
    data = Path("data") / options.name
    experiment_dir = Path("exp") / options.name / name_experiment(*layers, options.initial_model)
    config = experiment_dir / RESOLVED
    with locked(experiment_dir):
        experiment = write_experiment(config, *layers)
    slims = experiment.slims_teacher and not options.initial_model
    has_initial = bool(options.initial_model) or slims
    check_finetuning(options, experiment, experiment_dir)
    directly = finetunes_directly(options, experiment, experiment_dir)
    trained = choose_trained(options, experiment, experiment_dir, directly)
    check_teacher(options, trained, slims)
    check_finished(options.stage, data, experiment_dir, trained)
    has_speakers = not options.no_training_speakers
    train_set = "train_augmented" if experiment.augmented_copies else "train"
    if options.stage >= Stage.SCORES:
        warn_of_stale(experiment_dir, trained, data / "test")
    values = describe_phases(experiment_dir, config, trained, has_initial, has_speakers)
    for phase in trained:
        start_phase = start_of(phase, trained)
        from_phase = start_phase and experiment_dir / str(PHASES[start_phase].checkpoint)
        values[f"{phase}_from"] = from_phase or values["initial_checkpoint"]
    return values | {
        "data": data,
        "fitted_on": data / "train",
        "train_set": train_set if has_speakers else "",
        "slims_teacher": "true" if slims else "",
        "trained_in_2": " ".join(of_stage(trained, Stage.PRETRAINING)),
        "trained_in_3": " ".join(of_stage(trained, Stage.FINETUNING)),
    }


def plan_judging(options: argparse.Namespace) -> dict[str, object]:
    """Return the values where other speech is judged by an experiment that is there."""
    data, source = Path("data") / options.name, options.experiment
    experiment_dir = Path("exp") / options.name / source.resolve().name
    with locked(experiment_dir), locked(source, to_write=False):
        train_dir, trained = borrow(source, experiment_dir)
    check_finished(options.stage, data, experiment_dir, trained)
    has_initial = "initial_model" in trained
    trained = [phase for phase in trained if phase != "initial_model"]
    if options.stage >= Stage.SCORES:
        warn_of_stale(experiment_dir, trained, data / "test")
    values = describe_phases(experiment_dir, experiment_dir / CONFIG, trained, has_initial, True)
    return values | {"data": data, "fitted_on": train_dir}


def describe_phases(
    experiment_dir: Path, config: Path, trained: Sequence[str], has_initial: bool, fitted: bool
) -> dict[str, object]:
    """Return the values that follow from the phases that are trained.

    Args:
        fitted: whether there are training speakers, to fit floors on.
    """
    start = "initial_model" if has_initial else "untrained"
    return {
        "experiment": experiment_dir,
        "config": config,
        "initial_checkpoint": experiment_dir / str(PHASES[start].checkpoint) if has_initial else "",
        "start": start,
        "trained": " ".join(trained),
        "phases": " ".join(all_phases(trained, has_initial, fitted)),
        "last": final_phase([start, *trained]),
    }


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--config", type=Path, help="experiment file")
    which.add_argument("--experiment", type=Path, help="exp/<name>/<experiment>, to judge by")
    parser.add_argument("--override", type=Path, nargs="*", default=[], help="files laid on it")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="of one key; repeatable"
    )
    parser.add_argument("--name", required=True, help="of data/<name> and exp/<name>")
    parser.add_argument("--initial-model", default="", help="weights, see run.sh")
    parser.add_argument("--teacher", nargs="*", default=[], help="checkpoints, for distillation")
    parser.add_argument("--stage", type=int, default=0, help="first stage to run")
    parser.add_argument("--stop-stage", type=int, default=6, help="last stage to run")
    parser.add_argument("--no-control", action="store_true", help="leave controls out")
    parser.add_argument(
        "--no-training-speakers", action="store_true", help="data/<name> has a test set alone"
    )
    return parser.parse_args()


def of_stage(phases: Iterable[str], stage: Stage) -> list[str]:
    """Return those of some phases that a stage makes."""
    return [phase for phase in phases if PHASES[phase].stage == stage]


def check_teacher(options: argparse.Namespace, trained: Sequence[str], slims: bool) -> None:
    """Refuse distillation without a teacher, a teacher without it, and several to start from."""
    distils = "distillation" in trained
    if options.teacher and not distils:
        raise ValueError(
            f"--teacher {' '.join(options.teacher)}: nothing learns from it: take a config with "
            "distillation, and training speakers"
        )
    trains = options.stage <= Stage.PRETRAINING <= options.stop_stage
    if trains and distils and not options.teacher:
        raise ValueError(
            f"{options.config} has distillation: name the checkpoint of a teacher by --teacher "
            "(pyscripts/import_checkpoint.py makes one of published weights)"
        )
    if slims and len(options.teacher) > 1:
        raise ValueError(
            f"--teacher {' '.join(options.teacher)}: distillation.starts_from teacher takes one: "
            "name one, or set starts_from to random"
        )


def is_model_folder(options: argparse.Namespace) -> bool:
    """Tell whether the weights are a model folder of this recipe."""
    return bool(options.initial_model) and Path(options.initial_model).is_dir()


def check_finetuning(
    options: argparse.Namespace, experiment: Experiment, experiment_dir: Path
) -> None:
    """Refuse to fine-tune imported weights by a config that has no fine-tuning.

    Where they were pre-trained, there is a network to go on with, and nothing to do in stage 3.
    """
    asked = options.initial_model and options.stage == Stage.FINETUNING
    if not asked or options.no_training_speakers or experiment.finetuning:
        return
    before = of_stage(trained_phases(experiment), Stage.PRETRAINING)
    if not any((experiment_dir / str(PHASES[phase].checkpoint)).exists() for phase in before):
        raise ValueError(
            f"--stage {Stage.FINETUNING:d} --initial-model {options.initial_model}: "
            f"{options.config} has no fine-tuning: take --stage {Stage.PRETRAINING:d} to train on "
            f"from it, --stage {Stage.EMBEDDINGS:d} to judge it, or a config with `finetuning`"
        )


def finetunes_directly(
    options: argparse.Namespace, experiment: Experiment, experiment_dir: Path
) -> bool:
    """Tell whether fine-tuning starts from imported weights themselves, and log from which.

    It does where stage 3 is the first that is asked for, or no stage of training and they are a
    model folder, and no pre-training was ever begun in the experiment's folder.
    """
    unasked = is_model_folder(options) and options.stage < Stage.PRETRAINING
    asked = unasked or (options.initial_model and options.stage == Stage.FINETUNING)
    if not asked or options.no_training_speakers:
        return False
    before = of_stage(trained_phases(experiment), Stage.PRETRAINING)
    for folder in (experiment_dir / (name + end) for name in before for end in ("", ".partial")):
        if folder.exists():
            logging.info(
                "fine-tuning goes on from pre-training, which %s holds; remove it to fine-tune %s "
                "itself", folder, options.initial_model,
            )  # fmt: skip
            return False
    if experiment.finetuning:
        logging.info(
            "fine-tuning starts from %s itself, as no pre-training was begun in %s",
            options.initial_model, experiment_dir,
        )  # fmt: skip
    return True


def choose_trained(
    options: argparse.Namespace, experiment: Experiment, experiment_dir: Path, directly: bool
) -> list[str]:
    """Return the phases to work on; imported weights that are only judged may have trained none.

    Args:
        directly: see `finetunes_directly`. Nothing is pre-trained then; nor is there a control,
            which goes on with the loss of pre-training.
    """
    trained = [
        phase
        for phase in trained_phases(experiment)
        if not (options.no_control and PHASES[phase].is_control)
    ]
    if options.initial_model and options.stage >= Stage.EMBEDDINGS:
        return [phase for phase in trained if is_there(phase, experiment_dir)]
    if options.no_training_speakers:
        return []
    if not directly:
        return trained
    controls = [phase for phase in trained if PHASES[phase].is_control]
    if controls:
        logging.info("%s, which goes on with its loss, is left out", ", ".join(controls))
    return [phase for phase in of_stage(trained, Stage.FINETUNING) if phase not in controls]


if __name__ == "__main__":
    command.run(main)
