#!/usr/bin/env python3
"""Stage 1: compute features, voice activity and CMVN sums of Kaldi data directories.

Reads wav.scp; writes feats.scp, vad.scp, utt_cmvn.scp and their arks (in fbank/),
utt2num_frames, frame_shift, conf/, and a Lhotse feature manifest beside the corpus's manifests.
"""

import argparse
from pathlib import Path

from deep_speaker.clusters.options import add_cluster_options, open_cluster
from deep_speaker.config import read_experiment
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.system import command
from deep_speaker.system.locks import hold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument("data_dirs", type=Path, nargs="+", help="Kaldi data directories")
    add_cluster_options(parser)
    options = parser.parse_args()
    for data_dir in options.data_dirs:
        hold(data_dir.absolute().parent)
    experiment = read_experiment(options.config)
    with open_cluster(options) as cluster:
        for data_dir in options.data_dirs:
            compute_data_dir(data_dir, experiment, options.nj, cluster)


if __name__ == "__main__":
    command.run(main)
