# shellcheck shell=bash
# The environment of every command here: `. ./path.sh` from the top folder.
#
# An active virtual or conda environment that holds the packages of requirements.txt is used as
# it is. Otherwise .venv is built from that file on first use, and again when the file changes.
# PYTHON names another interpreter to build it with. tests/run.sh sets `requirements` to add the
# development tools. On Linux, pip's default torch brings gigabytes of CUDA libraries; to get the
# CPU build, set PIP_EXTRA_INDEX_URL to the CPU index named on pytorch.org, or install
# torch==2.13.0+cpu in an environment of your own and activate it.

export LC_ALL=C                      # Kaldi sorts its tables by bytes
export PYTHONPATH="$PWD/pyscripts${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONUNBUFFERED=1
export OMP_WAIT_POLICY=PASSIVE       # spinning threads slow a busy machine down tenfold
export ONEDNN_PRIMITIVE_CACHE_CAPACITY=8192  # a network is compiled for each length: 1024 hold 85
export TORCH_CPP_LOG_LEVEL=ERROR     # ranks that lose each other say so in one line, without pages

requirements=${requirements:-requirements.txt}

# Print the requirements, one "name version" a line.
list_requirements() {
  # shellcheck disable=SC2086  # a list of files
  sed -n 's/^\([A-Za-z0-9._-]*\)==\([^ ;#]*\).*/\1 \2/p' $requirements
}

# Succeed when the interpreter $1 is recent enough and holds every required package.
has_packages() {
  list_requirements | "$1" -c '
import sys
from importlib.metadata import PackageNotFoundError, version
if sys.version_info < (3, 11):
    sys.exit(1)
for line in sys.stdin:
    try:
        version(line.split()[0])
    except PackageNotFoundError:
        sys.exit(1)
' 2>/dev/null
}

# Print the first interpreter of at least Python 3.11.
find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.14}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  echo "path.sh: Python 3.11 or newer is needed, found $("${PYTHON:-python3}" --version 2>&1 || true);" \
    "install it, or set PYTHON=/path/to/python3" >&2
  return 1
}

# Succeed when .venv holds every required package; the development tools may be in it too.
is_built() {
  [ -e .venv/installed ] && .venv/bin/python -c '' 2>/dev/null &&
    ! list_requirements | grep -qvxFf .venv/installed
}

# Wait for others that build .venv: with the interpreter $1, lock the file that is open as $2 until
# it is closed, which the system does for what is killed.
lock_environment() {
  "$1" -c '
import fcntl, os, sys
descriptor = int(sys.argv[1])
try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    holder = os.pread(descriptor, 1000, 0).decode(errors="replace").strip()
    print(f"path.sh: .venv is being built by {holder}: waiting for it", file=sys.stderr)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
except OSError:
    pass  # a file system without locks
os.ftruncate(descriptor, 0)
os.pwrite(descriptor, f"process {os.getppid()} on {os.uname().nodename}".encode(), 0)
' "$2"
}

# Build .venv whole: .venv/installed, written last, tells a finished one from a half-finished one.
build_environment() {
  local python
  python=$(find_python) || return 1
  lock_environment "$python" 9 || return 1
  is_built && return
  if [ ! -e .venv/installed ] || ! .venv/bin/python -c '' 2>/dev/null; then
    echo "path.sh: building .venv with $python (once; minutes, more where torch comes with CUDA)" >&2
    rm -rf .venv
    if ! "$python" -m venv .venv >/dev/null 2>&1; then
      rm -rf .venv
      if ! "$python" -m virtualenv --quiet .venv 2>/dev/null; then
        echo "path.sh: '$python -m venv' failed: install its package (Debian, Ubuntu:" \
          "apt install python3-venv) or virtualenv (pip install virtualenv)" >&2
        return 1
      fi
    fi
  else
    echo "path.sh: the requirements changed: updating .venv" >&2
    rm -f .venv/installed
  fi
  local quiet="-q -q"
  [ -t 2 ] && quiet=""  # a terminal gets pip's progress bars
  # shellcheck disable=SC2046,SC2086  # lists of options
  if ! .venv/bin/python -m pip install $quiet --disable-pip-version-check \
    $(printf -- '-r %s ' $requirements) >&2; then
    echo "path.sh: pip could not install $requirements (network, disk space?);" \
      "run the same command again to retry" >&2
    return 1
  fi
  list_requirements > .venv/installed
}

use_environment() {
  local active=${VIRTUAL_ENV:-${CONDA_PREFIX:-}}
  if [ -n "$active" ] && [ "$active" != "$PWD/.venv" ] && has_packages "$active/bin/python"; then
    export PATH="$active/bin:$PATH"
    return
  fi
  is_built || build_environment 9<> .venv.lock || return 1
  export VIRTUAL_ENV="$PWD/.venv" PATH="$PWD/.venv/bin:$PATH"
}

use_environment || return 1
export PATH="$PWD/pyscripts:$PATH"   # deep-speaker
