#!/usr/bin/env python3
"""Write a model folder, models/<name>, that run.sh's --initial-model takes.

It holds weights.safetensors, config.yaml (the experiment, whole), how to score and decide
(decisions.json, learnt on held-out training speakers), and README.md, the card: all that is known
of the model, and headings for what a person has to write. Their text is kept when the folder is
written anew.
"""

import argparse
import logging
import shlex
import shutil
import sys
from pathlib import Path

from deep_speaker.config import Experiment
from deep_speaker.config.folders import SCORES, data_dir_of, score_prefix, vectors_file
from deep_speaker.config.made import check_made
from deep_speaker.config.phases import PHASES, TRAINED
from deep_speaker.features.conditions import measure_conditions, write_conditions
from deep_speaker.networks.checkpoints import Checkpoint, load_checkpoint, trained_with
from deep_speaker.published.model_folder import PRECISIONS, WEIGHTS, write_model_folder
from deep_speaker.report.model_card import write_card
from deep_speaker.scoring.decision_files import write_decisions
from deep_speaker.scoring.decision_learning import learn_backend, learn_decisions
from deep_speaker.scoring.score_files import CALIBRATION_TRIALS, score_file
from deep_speaker.system import command
from deep_speaker.system.files import replacing_directory
from deep_speaker.system.locks import hold
from deep_speaker.system.origins import note_origins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="float16",
        help="of matrices and kernels (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("source", type=Path, help="exp/<name>/<experiment>, or a checkpoint in it")
    parser.add_argument("phase", choices=["initial_model", *TRAINED], help="that made its weights")
    parser.add_argument("output", type=Path, help="folder to write, models/<name>")
    options = parser.parse_args()
    hold(options.output.absolute().parent)
    path = options.source
    if path.is_dir():
        path = path / str(PHASES[options.phase].checkpoint)
    checkpoint = load_checkpoint(path)
    if checkpoint.phase != options.phase:
        raise ValueError(f"{path}: a checkpoint of {checkpoint.phase}, not of {options.phase}")
    experiment_dir = path.parents[1]
    check_scores(experiment_dir, options.phase, data_dir_of(experiment_dir) / "train")
    written_by = shlex.join(["pyscripts/write_model.py", *sys.argv[1:]])
    with replacing_directory(options.output) as folder:
        if options.output.is_dir():  # what a person put there stays
            shutil.copytree(options.output, folder, dirs_exist_ok=True)
        write_model_folder(folder, checkpoint, options.precision)
        write_learnt(folder, checkpoint, experiment_dir)
        # One that is written elsewhere, to be taken along, has no record.
        if options.output.resolve().parent == experiment_dir.resolve():
            note_origins([folder / WEIGHTS], [path])
        place = options.output
        write_card(folder, place, checkpoint, experiment_dir, options.precision, written_by)
    logging.info(
        "written to %s; deep-speaker verify --model %s a.wav b.wav asks it",
        options.output, options.output,
    )  # fmt: skip


def write_learnt(folder: Path, checkpoint: Checkpoint, experiment_dir: Path) -> None:
    """Write what the training set tells: how to score and decide, and its conditions."""
    experiment = Experiment.model_validate(trained_with(checkpoint))
    train_dir = data_dir_of(experiment_dir) / "train"
    name, backend = learn_backend(experiment, experiment_dir, checkpoint.phase, train_dir)
    decisions = learn_decisions(experiment_dir, checkpoint.phase, name, train_dir)
    write_decisions(folder, name, backend, decisions)
    if (train_dir / "utt_cmvn.scp").is_file():
        write_conditions(folder, measure_conditions(train_dir))


def check_scores(experiment_dir: Path, phase: str, train_dir: Path) -> None:
    """Refuse to learn from x-vectors or scores that are not of the present network."""
    begin = score_file(score_prefix(experiment_dir, phase), Path(CALIBRATION_TRIALS), "").name
    check_made(vectors_file(experiment_dir, phase, train_dir))
    for path in sorted((experiment_dir / SCORES).glob(f"{begin}*")):
        check_made(path)


if __name__ == "__main__":
    command.run(main)
