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
  export STAGE_LOG=$2/log/$1  # each command's output also goes to $STAGE_LOG.<command>.log
  rm -f "$STAGE_LOG".*.log
}

trains() {  # <phases>: whether the run trains any; says why not
  [ -z "$1" ] || return 0
  if [ "${parts[0]}" = test ]; then log "Nothing to do: $data has no training speakers"
  elif [ "$running" = 2 ]; then log "Nothing to do: $initial_model goes on as it is"
  else log "Nothing to do: $config has no fine-tuning"; fi
  return 1
}

keep_config() {  # beside the results it made
  [ "$config" -ef "$experiment/config.yaml" ] || cp "$config" "$experiment/config.yaml"
}

finish_stage() {  # <stage> <folder>: note there how long it took, for the report
  local before=0
  [[ $resume = false || $1 != [23] ]] ||
    before=$(sed -n "s/^stage_$1 //p" "$2/stage_seconds" 2>/dev/null || true)
  { grep -sv "^stage_$1 " "$2/stage_seconds" || true
    echo "stage_$1 $((SECONDS - stage_began + before))"; } | sort > "$2/stage_seconds.partial"
  mv "$2/stage_seconds.partial" "$2/stage_seconds"
}
