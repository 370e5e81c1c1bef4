# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of run.sh
# The frame of run.sh's stages: whether one is asked for and has anything to do, where its commands
# log, how long it took.

log() { echo "$(date '+%F %T') $*" >&2; }

run_stage() {  # <stage> <folder of its logs> <what it does>
  (( stage <= $1 && $1 <= stop_stage )) || return 1
  log "Stage $1: $3"
  running=$1
  stage_began=$SECONDS
  interrupted=false
  unfinished=$2/stage_$1.unfinished  # left by a stage that was interrupted: see config/unfinished.py
  [ ! -e "$unfinished" ] || interrupted=true
  mkdir -p "$2"
  echo "begun at $(date '+%F %T')" > "$unfinished"
  export STAGE_LOG=$2/log/$1  # each command's output also goes to $STAGE_LOG.<command>.log
  rm -f "$STAGE_LOG".*.log
}

trains() {  # <phases>: whether the run trains any; says why not
  [ -z "$1" ] || return 0
  end_stage
  if [ "${parts[0]}" = test ]; then log "Nothing to do: $data has no training speakers"
  elif [ "$running" = 2 ]; then log "Nothing to do: $initial_model goes on as it is"
  else log "Nothing to do: $config has no fine-tuning"; fi
  return 1
}

resumes() {  # whether a stage of training goes on with what is there
  [[ $resume = true || ($resume = auto && $interrupted = true) ]]
}

end_stage() { rm -f "$unfinished"; }

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
