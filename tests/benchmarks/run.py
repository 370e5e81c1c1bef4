#!/usr/bin/env python3
"""Measure the stages of the recipe: beside other programs, and what the machine can do at best.

All sides of a comparison take turns in one process; speeds are medians, with the share of the
median by which half of the rounds differ from it. `wanted` is the ratio that is aimed at. The table
goes to standard output, and with the seconds of all rounds to a JSON file.

    requirements="requirements.txt tests/requirements.txt"; . ./path.sh
    tests/benchmarks/run.py [--full] [--only features scoring] [--json benchmark.json]

What else runs on the machine is noticed, and told. --full also measures the memory of 50 million
trials. Audio is $SPEECH_CORPORA/LibriSpeech/test-other, or noise where that is not set.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
sys.path.insert(1, str(ROOT / "tests"))

from benchmarks import extraction, features, limits, scoring, training  # noqa: E402
from benchmarks.machine import describe  # noqa: E402
from benchmarks.report import as_json, notes, table  # noqa: E402

PARTS = {
    "limits": limits.compare_all,
    "features": features.compare_all,
    "training": training.compare_all,
    "extraction": extraction.compare_all,
    "scoring": scoring.compare_all,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="also the memory of stage 6")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--json", type=Path, default=Path("benchmark.json"))
    options = parser.parse_args()
    machine, commit = describe(), read_commit()
    print(", ".join(machine.values()), f"commit {commit}", sep="; ", flush=True)
    comparisons = []
    memory: list[tuple[str, float, float]] = []
    with TemporaryDirectory(dir=".") as scratch:
        for part in options.only:
            print(f"measuring {part}", file=sys.stderr)
            comparisons += PARTS[part](Path(scratch))
        if options.full:
            memory = scoring.measure_memory(Path(scratch))
    print(table(comparisons), *notes(comparisons), sep="\n")
    for work, megabytes, most in memory:
        print(f"{work}: {megabytes:.0f} MB, wanted {most:.0f}")
    found = as_json(machine, commit, comparisons) | {"megabytes": memory}
    options.json.write_text(json.dumps(found, indent=1) + "\n")


def read_commit() -> str:
    """Return the commit of the code, marked where it has changed since."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
