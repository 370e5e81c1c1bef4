#!/usr/bin/env python3
"""A stand-in for Kaldi's queue.pl: runs jobs out of order, two at a time, and logs them as it does.

    queue.pl [options] JOB=1:4 log/x.JOB.log program ... JOB

FAIL_ONCE names a file: the job that removes it fails before its program begins.
"""

import os
import random
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

words = sys.argv[1:]
while words[0].startswith("-"):
    del words[:2]
name, first, last = re.fullmatch(r"(\w+)=(\d+):(\d+)", words[0]).groups()


def run(job: int) -> int:
    """Run a job, and return its exit status."""
    log, *command = (word.replace(name, str(job)) for word in words[1:])
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with Path(log).open("w") as file:
        print("#", *command, file=file, flush=True)
        try:
            Path(os.environ.get("FAIL_ONCE", "")).unlink()
        except OSError:
            status = subprocess.run(command, stdout=file, stderr=file).returncode
        else:
            status = 137
        print("# Ended (code", f"{status})", file=file)
    return status


jobs = list(range(int(first), int(last) + 1))
random.Random(1).shuffle(jobs)
with ThreadPoolExecutor(2) as pool:
    failed = sum(status != 0 for status in pool.map(run, jobs))
if failed:
    print(f"queue.pl: {failed} / {len(jobs)} failed, log is in {words[1]}", file=sys.stderr)
sys.exit(failed > 0)
