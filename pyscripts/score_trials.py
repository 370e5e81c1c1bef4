#!/usr/bin/env python3
"""Stage 5: score all trial lists of a test directory by every back end of the config.

A list is a file `trials` or `trials_<name>` of lines 'enroll test target|nontarget'. `enroll` is an
utterance, a speaker, or a model of several utterances, from lines 'model utterance...' in the file
`enroll_spk2utt`. Reads the x-vectors of each phase, <experiment>/<phase>/xvectors_<set>. The scores
go, as lines 'enroll test score' in the order of the list, to
`<experiment>/scores/<phase>.<file name of the list>.<back end>`; those of pairs of held-out
training speakers, which calibrate the others, to `<phase>.calibration_trials.<back end>` there.

PLDA of the config goes to <experiment>/<phase>/plda in the files of Kaldi's programs, too.

Without the folder of training speakers, of a test set that was prepared alone, it scores by the
back ends that are not fitted, and says what is left out.
"""

import argparse
import logging
from pathlib import Path

from deep_speaker.clusters.options import add_cluster_options, open_cluster
from deep_speaker.config import read_experiment, write_experiment
from deep_speaker.config.folders import CONFIG, SCORES
from deep_speaker.config.phases import final_phase
from deep_speaker.scoring.left_out import describe_left_out
from deep_speaker.scoring.list_scoring import (
    check_held_out_alike,
    score_phase,
    score_unfitted,
)
from deep_speaker.scoring.origins import check_vectors
from deep_speaker.scoring.other_plda import OtherPlda
from deep_speaker.system import command
from deep_speaker.system.locks import hold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument(
        "--backend-dir",
        type=Path,
        help="folder of mean.vec, transform.mat and plda, of Kaldi or of <phase>/plda: score the "
        "last phase (fine-tuning, else pre-training, ...) by it too, as given_plda",
    )
    parser.add_argument(
        "--adaptation-set",
        type=Path,
        help="data directory of another domain, embedded by stage 4: score by adapted_plda, too",
    )
    add_cluster_options(parser)
    parser.add_argument("train_dir", type=Path, help="data/<name>/train; may be missing")
    parser.add_argument("test_dir", type=Path, help="data/<name>/test, with the trial lists")
    parser.add_argument("experiment_dir", type=Path, help="exp/<name>/<experiment>")
    parser.add_argument("phases", nargs="+", type=phase_name, help="phases to score")
    options = parser.parse_args()
    hold(options.experiment_dir)
    hold(options.test_dir.absolute().parent, to_write=False)
    experiment = read_experiment(options.config)
    left_out = None
    if not options.train_dir.exists():
        left_out = describe_left_out(options.test_dir, experiment.scoring.backends)
    if left_out:
        logging.info("%s", left_out)
    else:
        check_held_out_alike(experiment, options.train_dir, options.experiment_dir, options.phases)
    data_dirs = [options.test_dir] if left_out else [options.test_dir, options.train_dir]
    adapts = options.adaptation_set is not None
    check_vectors(experiment, options.experiment_dir, options.phases, data_dirs, adapts)
    if options.adaptation_set and options.adaptation_set.resolve() == options.test_dir.resolve():
        logging.warning("PLDA is adapted to the test set itself: adapted rows flatter")
    places = options.test_dir, options.experiment_dir
    with open_cluster(options) as cluster:
        for phase in options.phases:
            logging.info("%s", phase)
            is_final = phase == final_phase(options.phases)
            other = OtherPlda(options.backend_dir if is_final else None, options.adaptation_set)
            if left_out:
                score_unfitted(experiment, *places, phase, other, cluster)
            else:
                score_phase(experiment, options.train_dir, *places, phase, other, cluster)
    write_experiment(options.experiment_dir / SCORES / CONFIG, options.config)


def phase_name(text: str) -> str:
    """Return the name of a phase, as an argparse type."""
    if not text or "/" in text:
        raise argparse.ArgumentTypeError(f"{text!r}: expected the name of a phase, no path")
    return text


if __name__ == "__main__":
    command.run(main)
