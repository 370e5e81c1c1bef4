# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables of run.sh
# From run.sh's options to what its stages work on: asks pyscripts/plan_run.py (see there) for
# `data`, `experiment`, `fitted_on` (folders), `config` (the resolved file), `train_set`, `phases` and
# others.
# Weights are imported here, so that those that do not fit are refused before any work is done.

fitted_on='' train_set='' initial_checkpoint='' slims_teacher='' start='' trained='' last=''
trained_in_2='' trained_in_3=''
phases=()
judged_by=$experiment experiment=''
(( stop_stage > 0 )) || return 0  # stage 0 needs no experiment
options=(--name "$name" --stage "$stage" --stop-stage "$stop_stage")
if [ -n "$judged_by" ]; then options+=(--experiment "$judged_by")
else options+=(--config "$config"); fi
# shellcheck disable=SC2206  # a list of files
[ -z "$override" ] || options+=(--override $override)
# shellcheck disable=SC2206  # likewise
[ -z "$teacher" ] || options+=(--teacher $teacher)
for setting in "${set[@]}"; do options+=(--set "$setting"); done
[ -z "$initial_model" ] || options+=(--initial-model "$initial_model")
[ "$control" = true ] || options+=(--no-control)
[ "${parts[0]}" = train ] || options+=(--no-training-speakers)
lock_folder wait exp  # so that of two runs that begin at once, the one that plans last goes on
plan=$(pyscripts/plan_run.py "${options[@]}")
while IFS='=' read -r variable value; do printf -v "$variable" %s "$value"; done <<< "$plan"
lock_folder write "$experiment"
unlock_folder exp
[ -z "$judged_by" ] || { lock_folder read "$judged_by"; lock_folder read "${fitted_on%/*}"; }
read -ra phases <<< "${phases[0]}"
[ "$train_set" = train_augmented ] || [ -z "$noise_dir$rir_dir" ] ||
  fail "--noise-dir, --rir-dir: $config has no augmented_copies (conf/overrides/rooms_and_noise.yaml)"
if (( stage <= 4 && 2 <= stop_stage )) && [ -n "$initial_model" ]; then
  pyscripts/import_checkpoint.py --config "$config" "$initial_model" "$initial_checkpoint"
fi
