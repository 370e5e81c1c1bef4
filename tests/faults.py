#!/usr/bin/env python3
"""Kill stages of the tiny recipe at random moments, run them again, and compare with a run that
was not disturbed.

    . ./path.sh; python tests/faults.py --kills 200

Prints a line for each kill, then how many hit each stage, and how many files were not whole or
differed: 0 is right.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from support.killing import STAGES, Undisturbed
from support.recipe import REPEATABLE_TINY, Recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    rng = random.Random(options.seed)
    counts: Counter[int] = Counter()
    ended = num_faults = 0
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder, "recipe")
        recipe.mkdir()
        undisturbed = Undisturbed(Recipe(recipe, tiny=True), REPEATABLE_TINY)
        print("seconds of stages:", *(f"{seconds:.1f}" for seconds in undisturbed.seconds))
        for number in range(1, options.kills + 1):
            kill = undisturbed.kill(rng.choice(STAGES), rng)
            counts[kill.stage] += 1
            ended += kill.ended
            num_faults += len(kill.faults)
            what = "had ended" if kill.ended else "killed"
            print(f"{number}: stage {kill.stage} {what} after {kill.seconds:.2f} s", flush=True)
            for fault in kill.faults:
                print(f"   {fault}", flush=True)
        for fault in undisturbed.compare_whole():
            num_faults += 1
            print(f"a run of all stages at once: {fault}", flush=True)
    print("kills by stage:", *(f"{stage}: {counts[stage]}" for stage in STAGES))
    print(f"{ended} had ended before; {num_faults} files were not whole or differed;", end=" ")
    print(f"{(time.monotonic() - began) / 60:.0f} minutes")
    sys.exit(bool(num_faults))


if __name__ == "__main__":
    main()
