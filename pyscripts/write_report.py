#!/usr/bin/env python3
"""Stage 6: report.html of an experiment, one page with tables and plots that needs nothing else.

It shows the results of all phases; of the last one (fine-tuning, else pre-training) also its
training, back ends, embeddings and worst trials.
"""

import argparse
import logging
from pathlib import Path

from deep_speaker.report.page import write_report
from deep_speaker.system import command
from deep_speaker.system.locks import hold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path, help="data/<name>/test, with the trial lists")
    parser.add_argument("experiment_dir", type=Path, help="exp/<name>/<experiment>, scored")
    parser.add_argument("phases", nargs="+", help="in the order of the tables")
    options = parser.parse_args()
    hold(options.experiment_dir)
    path = write_report(options.data_dir, options.experiment_dir, options.phases)
    logging.info("written to %s", path)


if __name__ == "__main__":
    command.run(main)
