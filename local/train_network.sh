# shellcheck shell=bash
# shellcheck disable=SC2154  # variables of run.sh
# The training of a phase in stages 2 and 3, from the weights that local/plan_run.sh has found.

train_network() {  # <phase>
  local from=${1}_from options=() targets
  resumes || log "$1 starts from ${!from:-random weights}"
  [ -z "${!from}" ] || options+=(--initial-checkpoint "${!from}")
  ! resumes || options+=(--resume)
  if [ "$1" = distillation ]; then
    # shellcheck disable=SC2086  # a list of files
    targets=$(pyscripts/embed_by_teacher.py --config "$config" --device "$device" "${jobs[@]}" \
      --precision "$precision" "$data/$train_set" "exp/$name/teachers" $teacher)
    options+=(--targets)
    [ -z "$slims_teacher" ] || pyscripts/slim_teacher.py --config "$config" --device "$device" \
      "$teacher" "$data/$train_set" "$targets" "$initial_checkpoint"
    mapfile -t -O "${#options[@]}" options <<< "$targets"
  fi
  # shellcheck disable=SC2086  # a command and its words
  $launcher pyscripts/train_network.py --config "$config" --device "$device" --phase "$1" \
    --ranks "$ranks" --nodes "$nodes" ${rendezvous:+--rendezvous "$rendezvous"} \
    --precision "$precision" --checkpoint-minutes "$checkpoint_minutes" ${threads:+--threads "$threads"} \
    "$data/$train_set" "$experiment/$1" "${options[@]}"
}
