#!/usr/bin/env python3
"""Damage valid files at random, and let the readers of such files read them.

    tests/fuzz.py --cases 100000        of all readers together; minutes
    tests/fuzz.py --cases 5000 --readers yaml scp --seed 7

A reader may refuse a file with a ValueError or OSError, and nothing else: no other exception, no
more than 20 s, no more than 1 GB beyond what the libraries take. Each reader has a process of its
own. Prints a line for each; what was found is printed with the damage that shows it, as small as it
could be made. Exit status 1 if anything was found.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS), str(TESTS.parent / "pyscripts"), str(TESTS.parent / "local")]

from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from support.fuzzed_readers import TARGETS  # noqa: E402
from support.fuzzing import DAMAGE, Hang, try_case  # noqa: E402

MOST_BYTES = 1 << 30


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=100000, help="of all readers together")
    parser.add_argument("--readers", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    each = -(-options.cases // len(options.readers))
    failed = []
    for name in options.readers:
        process = multiprocessing.Process(target=fuzz, args=(name, each, options.seed))
        process.start()
        process.join()
        if process.exitcode:
            failed.append(name)
            print(f"{name}: ended with {process.exitcode}", flush=True)
    print(f"found in: {' '.join(failed) or 'none'}")
    return 1 if failed else 0


def fuzz(name: str, cases: int, seed_number: int) -> None:
    """Try cases of one reader; exit with 1 if one fails."""
    with tempfile.TemporaryDirectory() as folder:
        target = TARGETS[name](Path(folder))
    limit_memory()
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # libraries complain of damage
    counts: Counter[str] = Counter()

    @seed(seed_number)
    @settings(
        max_examples=cases, deadline=None, database=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck), report_multiple_bugs=True,
    )  # fmt: skip
    @given(st.sampled_from(sorted(target.files)), DAMAGE)
    def run(file: str, edits: object) -> None:
        counts["refused" if try_case(target, file, edits) else "read"] += 1  # type: ignore[arg-type]

    began = time.monotonic()
    problem = ""
    try:
        run()
    except (Exception, Hang):
        problem = traceback.format_exc()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name}: {counts.total()} cases, {counts['refused']} refused, {counts['read']} read, "
        f"{(time.monotonic() - began) / 60:.1f} min, at most {peak:.0f} MB",
        flush=True,
    )
    if problem:
        print(problem, flush=True)
        sys.exit(1)


def limit_memory() -> None:
    """Let this process take `MOST_BYTES` more than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MOST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    sys.exit(main())
