#!/usr/bin/env python3
"""Resolve the options of run.sh, and print what its stages work on, as lines name=value.

Writes the whole experiment to <experiment>/resolved.yaml. Values:

  data, experiment   data/<name> and exp/<name>/<config>.<override>...<setting>...<weights>
  config             the resolved experiment file
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
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from deep_speaker.config import Experiment, write_experiment
from deep_speaker.config.folders import CONFIG, RESOLVED, xvector_dir
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
from deep_speaker.system.locks import hold


def main() -> None:
    options = parse_options()
    data, experiment_dir = Path("data") / options.name, choose_folder(options)
    config = experiment_dir / RESOLVED
    hold(experiment_dir)
    experiment = write_experiment(config, options.config, options.override, options.set)
    slims = experiment.slims_teacher and not options.initial_model
    has_initial = bool(options.initial_model) or slims
    start = "initial_model" if has_initial else "untrained"
    check_finetuning(options, experiment, experiment_dir)
    directly = finetunes_directly(options, experiment, experiment_dir)
    trained = choose_trained(options, experiment, experiment_dir, directly)
    check_teacher(options, trained, slims)
    check_finished(options.stage, data, experiment_dir, trained)
    has_speakers = not options.no_training_speakers
    train_set = "train_augmented" if experiment.augmented_copies else "train"
    if options.stage >= Stage.SCORES:
        warn_of_stale(experiment_dir, trained, data / "test")
    initial = experiment_dir / str(PHASES[start].checkpoint) if has_initial else ""
    values = {
        "data": data,
        "experiment": experiment_dir,
        "config": config,
        "train_set": train_set if has_speakers else "",
        "initial_checkpoint": initial,
        "slims_teacher": "true" if slims else "",
        "start": start,
        "trained": " ".join(trained),
        "trained_in_2": " ".join(of_stage(trained, Stage.PRETRAINING)),
        "trained_in_3": " ".join(of_stage(trained, Stage.FINETUNING)),
        "phases": " ".join(all_phases(trained, has_initial, has_speakers)),
        "last": final_phase([start, *trained]),
    }
    for phase in trained:
        start_phase = start_of(phase, trained)
        from_phase = start_phase and experiment_dir / str(PHASES[start_phase].checkpoint)
        values[f"{phase}_from"] = from_phase or initial
    for name, value in values.items():
        print(f"{name}={value}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument("--override", type=Path, nargs="*", default=[], help="files laid on it")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="of one key; repeatable"
    )
    parser.add_argument("--name", required=True, help="of data/<name> and exp/<name>")
    parser.add_argument("--initial-model", default="", help="published weights, or a model folder")
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


def choose_folder(options: argparse.Namespace) -> Path:
    """Return the experiment's folder, named after its config, overrides, settings and weights.

    A model folder gives its name to its own config, too.
    """
    model = Path(options.initial_model)
    weights = model.resolve().name if is_model_folder(options) else model.stem
    own_config = is_model_folder(options) and options.config.resolve() == (model / CONFIG).resolve()
    parts = [weights if own_config else options.config.stem]
    parts += [path.stem for path in options.override] + [safe_name(text) for text in options.set]
    parts += [weights] if weights and not own_config else []
    return Path("exp") / options.name / ".".join(parts)


def is_model_folder(options: argparse.Namespace) -> bool:
    """Tell whether the weights are a model folder of this recipe."""
    return bool(options.initial_model) and Path(options.initial_model).is_dir()


def safe_name(setting: str) -> str:
    """Map a setting to a name for a folder, fit for Kaldi's specifiers too.

    >>> safe_name("pretraining.loss={name: softmax, scale: 20}")
    'pretraining.loss=name_softmax,_scale_20'
    """
    key, _, value = setting.partition("=")
    words = [re.sub(r"[^\w.,+-]+", "_", text.strip()).strip("_") for text in (key, value)]
    return "=".join(words)


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


def warn_of_stale(experiment_dir: Path, trained: Sequence[str], data_dir: Path) -> None:
    """Warn about networks that were trained after their x-vectors were made."""
    for phase in trained:
        checkpoint = experiment_dir / str(PHASES[phase].checkpoint)
        xvectors = xvector_dir(experiment_dir, phase, data_dir)
        if not (checkpoint.exists() and xvectors.exists()):
            continue
        if checkpoint.stat().st_mtime_ns > xvectors.stat().st_mtime_ns:
            logging.warning(
                "%s was trained after its x-vectors were made: run stage %d too",
                phase, Stage.EMBEDDINGS,
            )  # fmt: skip


if __name__ == "__main__":
    command.run(main)
