# shellcheck shell=bash
# The locks of run.sh on data/<name> and exp/<name>/<experiment>: one run writes, or several read.
# They last until run.sh and all its commands have ended, and are theirs: see system/locks.py.
# shellcheck disable=SC2154  # variables of run.sh

declare -A lock_files  # by folder, the descriptor of its open lock file

lock_folder() {  # <write, read, or wait (to write)> <folder>
  [ "$1" = read ] || mkdir -p "$2"
  [ -d "$2" ] || return 0  # the stage that needs it will say so
  if [ -z "${lock_files[$2]:-}" ]; then
    local file
    # Whoever may not write there goes on without a lock, to read; a writer will be told.
    { exec {file}<> "$2/.lock" || exec {file}< "$2/.lock"; } 2> /dev/null || return 0
    lock_files[$2]=$file
  fi
  local number
  number=$(pyscripts/lock_folder.py "${lock_files[$2]}" "$1" "$2")
  export RUN_LOCKS="${RUN_LOCKS:-} $number"
}

unlock_folder() {  # <folder>
  local file=${lock_files[$1]:-}
  [ -z "$file" ] || exec {file}>&-
  unset "lock_files[$1]"
}

lock_data() {  # <stage>: as it needs the data: stages 0 and 1 write, others may read together
  if (( $1 <= 1 )); then lock_folder write "$data"; else lock_folder read "$data"; fi
}
