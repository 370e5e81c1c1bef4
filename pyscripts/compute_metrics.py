#!/usr/bin/env python3
"""Stage 6: compute error rates of every phase and back end; print a table, write results.json."""

import argparse
import logging
from pathlib import Path

from deep_speaker.config.folders import RESULTS, SCORES
from deep_speaker.results.computation import compute_rows, write_results
from deep_speaker.results.text_table import format_results
from deep_speaker.scoring.left_out import notes_of_left_out
from deep_speaker.system import command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path, help="data/<corpus>/test, with the trial lists")
    parser.add_argument("experiment_dir", type=Path, help="exp/<corpus>/<experiment>, with scores/")
    parser.add_argument("phases", nargs="+", help="in the order of the table")
    options = parser.parse_args()
    scores = options.experiment_dir / SCORES
    rows = compute_rows(options.data_dir, scores, options.phases)
    results = options.experiment_dir / RESULTS
    write_results(results, rows)
    print(format_results(rows))
    for note in notes_of_left_out(options.data_dir, scores, options.phases):
        print(note)
    logging.info("written to %s", results)


if __name__ == "__main__":
    command.run(main)
