# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of run.sh
# The frame of run.sh's stages: whether one is asked for and has anything to do, where its commands
# log, how long it took.

interrupted=''  # by the first stage that runs: true or false

log() { echo "$(date '+%F %T') $*" >&2; }

run_stage() {  # <stage> <folder of its logs> <what it does>
  (( stage <= $1 && $1 <= stop_stage )) || return 1
  log "Stage $1: $3"
  running=$1
  stage_began=$SECONDS
  : "${interrupted:=$(find_interruption)}"
  stage_dir=$2 unfinished=$2/stage_$1.unfinished  # left by a stage that was interrupted: see
  mkdir -p "$2"                                   # config/unfinished.py
  if [ ! -e "$unfinished" ]; then
    echo "begun at $(date '+%F %T')" > "$unfinished"
    trap forget_refused EXIT
  fi
  export STAGE_LOG=$2/log/$1  # each command's output also goes to $STAGE_LOG.<command>.log
  rm -f "$STAGE_LOG".*.log
}

find_interruption() {  # whether an earlier run of the experiment was interrupted in any stage
  local mark
  for mark in "${experiment:-none}"/{stage_[2-6].unfinished,*.partial/last.pt}; do
    [ ! -e "$mark" ] || { echo true; return; }
  done
  echo false
}

forget_refused() {  # at the end of run.sh: a stage that has changed nothing was never begun
  [ -e "$unfinished" ] || return 0
  [ -n "$(find "$stage_dir" -mindepth 1 -newer "$unfinished" ! -path "$stage_dir/log*" \
    ! -name .lock ! -name resolved.yaml -print -quit)" ] || end_stage
}

trains() {  # <phases>: whether the run trains any; says why not
  [ -z "$1" ] || return 0
  end_stage
  if [ "${parts[0]}" = test ]; then log "Nothing to do: $data has no training speakers"
  elif [ "$running" = 2 ]; then log "Nothing to do: $initial_model goes on as it is"
  else log "Nothing to do: $config has no fine-tuning"; fi
  return 1
}

resumes() {  # whether training goes on with what is there: finished phases that are current stay
  [[ $resume = true || ($resume = auto && $interrupted = true) ]]
}

end_stage() {
  rm -f "$unfinished"
  trap - EXIT
}

replace_file() {  # <path>: by what is piped in, once that is on the disk
  cat > "$1.partial" && sync "$1.partial" && mv "$1.partial" "$1" && sync "$(dirname "$1")"
}

keep_config() {  # beside the results it made
  [ "$config" -ef "$experiment/config.yaml" ] || replace_file "$experiment/config.yaml" < "$config"
}

finish_stage() {  # <stage> <folder>: note there how long it took, for the report
  local before=0
  [[ $resume != true || $1 != [23] ]] ||
    before=$(sed -n "s/^stage_$1 //p" "$2/stage_seconds" 2>/dev/null || true)
  { grep -sv "^stage_$1 " "$2/stage_seconds" || true
    echo "stage_$1 $((SECONDS - stage_began + before))"; } | sort | replace_file "$2/stage_seconds"
  end_stage
}
