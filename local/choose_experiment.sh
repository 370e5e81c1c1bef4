# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables of run.sh
# From run.sh's options to what its stages work on: `data`, `experiment` (folders), `config` (a
# file), `train_set`, `phases` and those `trained`, `start` (what training starts from), `jobs`.

case " ${prepare_words[*]} " in *" --help "* | *" -h "*) exec "local/prepare_$corpus.py" --help ;; esac
jobs=(); [ -z "$nj" ] || jobs=(--nj "$nj")
data=data/$name
experiment=exp/$name/$(basename "$config" .yaml)
if [ -n "$override" ]; then
  for file in $override; do experiment+=.$(basename "$file" .yaml); done
  # shellcheck disable=SC2086  # a list of files
  pyscripts/override_experiment.py "$config" $override "$experiment/overridden.yaml"
  config=$experiment/overridden.yaml
fi
trained=$(pyscripts/list_phases.py --config "$config")
train_set=$(pyscripts/list_phases.py --config "$config" --train-set)
[ "$train_set" = train_augmented ] || [ -z "$noise_dir$rir_dir" ] ||
  fail "--noise-dir, --rir-dir: $config has no augmented_copies (conf/overrides/rooms_and_noise.yaml)"
[ "$control" = true ] || trained=${trained/ pretraining_continued/}
start=untrained
if [ -n "$initial_model" ]; then
  start=initial_model
  experiment+=.$(basename "${initial_model%.*}")
  initial_checkpoint=$experiment/initial_model/best.pt
  if (( stage >= 4 )); then  # beside what has been trained from it before, if anything
    for phase in $trained; do
      [ -e "$experiment/$phase/best.pt" ] || trained=${trained/$phase/}
    done
  fi
  if (( stage <= 4 && stop_stage >= 2 )); then
    pyscripts/import_checkpoint.py --config "$config" "$initial_model" "$initial_checkpoint"
  fi
fi
phases="statistics statistics_no_mean $start $trained"

# The x-vector directories of a phase; those of the experiment's last word are its own.
case $trained in *finetuning*) last=finetuning ;; *) last=pretraining ;; esac
xvectors() { if [ "$1" = "$last" ]; then echo "$experiment"; else echo "$experiment/$1"; fi; }

if (( stage >= 5 )); then
  for phase in $trained; do
    if [ "$experiment/$phase/best.pt" -nt "$(xvectors "$phase")/xvectors_test" ]; then
      echo "run.sh: warning: $phase was trained after its x-vectors were made: run stage 4 too" >&2
    fi
  done
fi
