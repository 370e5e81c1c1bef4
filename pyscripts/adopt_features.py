#!/usr/bin/env python3
"""Make data directories whose features Kaldi computed ready for stages 2 to 6, in place of stage 1.

Needs feats.scp, of log-mel filterbanks as steps/make_fbank.sh writes them, compressed or not. Keeps
vad.scp, as sid/compute_vad_decision.sh writes it; without it, all frames count as voiced. Writes
utt_cmvn.scp (sums over voiced frames), utt2num_frames, conf/fbank.conf and conf/vad.conf of the
experiment, a Lhotse feature manifest if the corpus has manifests; and utt2dur and frame_shift where
they are missing. Utterances without a voiced frame leave all tables.

Checks: the number of columns; the frame shift, by utt2dur and frame_shift; conf/fbank.conf, which
make_fbank.sh leaves, against the experiment; that each value is finite, and each frame has a
decision. Cannot check: without that conf/fbank.conf, the sampling rate, mel range, window and scale
of the features; and whether they are filterbanks at all, and not, for example, cepstra; by which
options vad.scp was decided; whether all directories of an experiment were computed alike.
"""

import argparse
from pathlib import Path

from deep_speaker.config import read_experiment
from deep_speaker.features.adoption import adopt_data_dir
from deep_speaker.system import command
from deep_speaker.system.locks import hold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument("data_dirs", type=Path, nargs="+", help="Kaldi data directories")
    command.add_jobs_option(parser)
    options = parser.parse_args()
    for data_dir in options.data_dirs:
        hold(data_dir.absolute().parent)
    experiment = read_experiment(options.config)
    for data_dir in options.data_dirs:
        adopt_data_dir(data_dir, experiment, options.nj)


if __name__ == "__main__":
    command.run(main)
