#!/usr/bin/env bash
# Set the project up with its development tools, and run all tests. Options go to pytest:
#   tests/run.sh -k metrics
# SPEECH_CORPORA may name a folder of real speech (see README.md); its tests are skipped without.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements="requirements.txt tests/requirements.txt"
. ./path.sh
python -m pytest "$@"
