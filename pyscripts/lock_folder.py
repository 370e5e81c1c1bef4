#!/usr/bin/env python3
"""Lock a folder for run.sh, which has its lock file open and inherits the lock; see `locks`.

Prints the number of the lock, by which the commands of the run know that it is theirs.
"""

import argparse
from pathlib import Path

from deep_speaker.system import command
from deep_speaker.system.locks import is_there, lock_descriptor, number_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("descriptor", type=int, help="of <folder>/.lock, open in run.sh")
    parser.add_argument("purpose", choices=("write", "read", "wait"), help="wait: then write")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    wait = options.purpose == "wait"
    with command.ending_in_one_line("run.sh"):
        lock_descriptor(options.descriptor, options.folder, options.purpose != "read", wait)
        if not is_there(options.descriptor, options.folder):
            raise ValueError(f"{options.folder}: another process has just ended: run this again")
    print(number_of(options.descriptor))


if __name__ == "__main__":
    main()
