#!/usr/bin/env python3
"""Stage 4: embed data directories by checkpoints, each into a Kaldi x-vector directory.

All x-vectors of a call are computed in the same precision, as they are compared with each other.
"""

import argparse
from functools import partial
from pathlib import Path

from deep_speaker.clusters.options import add_cluster_options, open_cluster
from deep_speaker.config import read_experiment
from deep_speaker.config.folders import ADAPTATION_XVECTORS
from deep_speaker.config.made import check_network
from deep_speaker.embeddings.extraction import Extractor, extract
from deep_speaker.embeddings.settling import settle
from deep_speaker.networks.pace import add_precision_option
from deep_speaker.system import command
from deep_speaker.system.locks import hold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="experiment file")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    add_cluster_options(parser)
    add_precision_option(parser)
    parser.add_argument(
        "--also",
        type=Path,
        nargs=2,
        action="append",
        default=[],
        metavar=("CHECKPOINT", "OUTPUT"),
        help="a further checkpoint and its folder; repeatable",
    )
    parser.add_argument(
        "--adaptation-set",
        type=Path,
        help=f"a data directory of another domain, embedded into {ADAPTATION_XVECTORS}/",
    )
    parser.add_argument(
        "checkpoint", type=Path, help="checkpoint of any phase, for example .../best.pt"
    )
    parser.add_argument(
        "output", type=Path, help="folder to write xvectors_<name of the data directory>/ into"
    )
    parser.add_argument("data_dirs", type=Path, nargs="+", help="data directories with features")
    options = parser.parse_args()
    for output in [options.output, *(folder for _, folder in options.also)]:
        hold(output.absolute().parent)
    for data_dir in options.data_dirs:
        hold(data_dir.absolute().parent, to_write=False)
    experiment = read_experiment(options.config)
    pairs = [(options.checkpoint, options.output), *options.also]
    for checkpoint, output in pairs:  # before any work is done
        check_network(checkpoint, output, experiment)
    extractors = {}
    for checkpoint, output in pairs:
        folders = {output / f"xvectors_{path.name}": path for path in options.data_dirs}
        if options.adaptation_set:
            folders[output / ADAPTATION_XVECTORS] = options.adaptation_set
        for folder, data_dir in folders.items():
            extractors[folder] = Extractor(checkpoint, data_dir, experiment)
    choose = partial(settle, options.device, options.precision)
    with open_cluster(options) as cluster:
        settled = next(cluster.map(choose, [extractors])) if cluster else choose(extractors)
        extract(settled, options.nj, cluster)


if __name__ == "__main__":
    command.run(main)
