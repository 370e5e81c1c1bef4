#!/usr/bin/env python3
"""Run run.sh, and end it with all its commands by SIGINT, SIGTERM or SIGHUP, or if this is killed.

Usage: supervise_run.py <shell> ./run.sh [<options>]
"""

import sys

from deep_speaker.system.supervision import supervise

if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1:], "run.sh"))
