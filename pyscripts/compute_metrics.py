#!/usr/bin/env python3
"""Stage 6: compute error rates of every phase and back end; write results.json and results.txt.

The second holds tables to read. They are printed where there is one list; where there are several,
a summary: a line per phase by its main back end, and by the one that is best.
Of a list that lacks targets or nontargets the scores are printed. Where there is no other,
results.json, results.txt and report.html of before are removed.
"""

import argparse
import logging
from pathlib import Path

from deep_speaker.config import read_experiment
from deep_speaker.config.folders import REPORT, RESULTS, SCORES, TABLES
from deep_speaker.results.computation import compute_rows, files_behind, write_results
from deep_speaker.results.text_table import write_tables
from deep_speaker.results.unjudged import describe_unjudged
from deep_speaker.scoring.left_out import notes_of_left_out
from deep_speaker.system import command
from deep_speaker.system.locks import hold
from deep_speaker.system.origins import note_origins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--config", type=Path, help="experiment file: mark what was made by another config"
    )
    parser.add_argument("data_dir", type=Path, help="data/<corpus>/test, with the trial lists")
    parser.add_argument("experiment_dir", type=Path, help="exp/<corpus>/<experiment>, with scores/")
    parser.add_argument("phases", nargs="+", help="in the order of the table")
    options = parser.parse_args()
    hold(options.experiment_dir)
    scores = options.experiment_dir / SCORES
    asked = read_experiment(options.config).model_dump(mode="json") if options.config else {}
    rows = compute_rows(options.data_dir, scores, options.phases, asked)
    results, tables = options.experiment_dir / RESULTS, options.experiment_dir / TABLES
    if rows:
        write_results(results, rows)
        print(write_tables(tables, rows))
        made_of = files_behind(options.data_dir, scores, options.phases)
        note_origins([results, tables], made_of)
    for line in describe_unjudged(options.data_dir, scores, options.phases, rows):
        print(line)
    for note in notes_of_left_out(options.data_dir, scores, options.phases):
        print(note)
    if rows:
        logging.info("written to %s; all tables to %s", results, tables)
    else:
        for path in (results, tables, options.experiment_dir / REPORT):
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    command.run(main)
