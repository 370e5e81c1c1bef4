#!/usr/bin/env bash
# Set the project up with its development tools, and run its tests:
#
#   tests/run.sh                    all that CI asks for, in minutes
#   tests/run.sh -m "not slow"      for the hand that is editing
#   tests/run.sh --full             also the default ./run.sh, with a band on its error rates, and
#                                   other runs of minutes
#   tests/run.sh -k metrics -n 0    other options go to pytest; -n 0: in one process
#
# SPEECH_CORPORA may name a folder of real speech (see docs/corpora.md), PUBLISHED_MODELS one that
# holds what local/download_published.sh fetches; their tests are skipped without.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements="requirements.txt requirements-dask.txt tests/requirements.txt"
. ./path.sh
export OMP_NUM_THREADS=1  # a process of tests per core, see addopts in pyproject.toml
python -m pytest "$@"
