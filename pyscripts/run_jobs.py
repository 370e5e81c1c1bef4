#!/usr/bin/env python3
"""Do the part of a job in work that --cmd of a stage distributes; Kaldi's scripts start this."""

import argparse
from pathlib import Path

from deep_speaker.clusters.queued_jobs import run_job
from deep_speaker.system import command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the work, and what is made of it")
    parser.add_argument("num_jobs", type=command.positive_int, help="jobs that share it")
    parser.add_argument("job", type=command.positive_int, help="which of them, from 1")
    options = parser.parse_args()
    run_job(options.folder, options.num_jobs, options.job)


if __name__ == "__main__":
    command.run(main)
