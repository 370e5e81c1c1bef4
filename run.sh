#!/usr/bin/env bash
# Speaker verification with Deep Speaker, from audio to error rates, in seven stages:
#
#   0  Lhotse manifests, Kaldi data directories, trials    data/<name>/{manifests,train,test}
#   1  filterbanks and voice activity (ark/scp); copies    data/<name>/{train,test}/feats.scp
#   2  pre-training, by softmax for example                exp/<name>/<experiment>/pretraining
#   3  fine-tuning, by triplets; its control without them  exp/<name>/<experiment>/finetuning
#   4  embeddings (ark/scp) of all phases and floors       exp/<name>/<experiment>/xvectors_*
#   5  cosine scores of the trials                         exp/<name>/<experiment>/scores
#   6  EER, minDCF, identification accuracy                exp/<name>/<experiment>/results.json
#
# Without options it runs all of them on the embedded corpus of synthetic voices. Usage:
#
#   ./run.sh [--stage N] [--stop-stage N] [--config conf/<experiment>.yaml]
#   ./run.sh --corpus librispeech --corpus-dir /data/LibriSpeech
#   ./run.sh --corpus folder --corpus-dir speakers/          # <speaker>/**/*.{wav,flac,...}
#   ./run.sh --corpus folder --train-dir a/ --test-dir b/ --name mine
#   ./run.sh --corpus librispeech,mine    # several at once: data/librispeech and data/mine, each
#                                         # made before as above, with --stop-stage 0
#   ./run.sh --config conf/resnetse34l.yaml --override conf/overrides/few_steps.yaml
#   ./run.sh --config conf/resnetse34l.yaml --initial-model baseline_lite_ap.model --stage 4
#
# Options, with their defaults:

set -euo pipefail
cd "$(dirname "$0")"

corpus=embedded              # prepared by local/prepare_<corpus>.py; or several: a,b,c
name=                        # of data/<name> and exp/<name> (default: the corpus; of several a+b+c)
corpus_dir=                  # where a real corpus lies
train_dir=                   # of corpora that take two folders: the training speakers
test_dir=                    # likewise: the test speakers
config=conf/embedded.yaml    # the experiment: all hyper-parameters
override=                    # files whose keys replace the config's; results in <config>.<override>
noise_dir=                   # for augmented_copies of the config: MUSAN, or any folder of noises
rir_dir=                     # likewise: RIRS_NOISES, or any folder of impulse responses
initial_model=               # weights of voxceleb_trainer, to train from, or with --stage 4 to judge
stage=0                      # first stage to run
stop_stage=6                 # last stage to run
nj=                          # parallel jobs, at least 1 (default: one per core)
device=auto                  # of training and extraction: auto, cpu, cuda or cuda:N
ranks=1                      # processes that train together, with a GPU each where there are any
resume=false                 # go on with an interrupted stage 2 or 3 after its last whole epoch
control=true                 # also continue pre-training, to tell what fine-tuning adds
data_seed=0                  # stage 0 of one corpus: voices, split of speakers, trials
trials=all                   # stage 0 of one corpus: all pairs up to max-trials, or balanced
max_trials=200000            # stage 0 of one corpus: of each trial list
prepare_options=             # stage 0: further options of local/prepare_<corpus>.py (its --help)

. local/parse_options.sh

fail() { echo "run.sh: $*" >&2; exit 1; }
(( stage <= stop_stage && stop_stage <= 6 )) ||
  fail "--stage $stage --stop-stage $stop_stage: expected 0 <= stage <= stop-stage <= 6"
[[ $nj =~ ^([1-9][0-9]*)?$ ]] || fail "--nj $nj: expected a whole number of at least 1"
word='[^-./,[:space:]][^/,[:space:]]*'
if [[ $corpus = *,* ]]; then
  [[ $corpus =~ ^$word(,$word)+$ ]] || fail "--corpus $corpus: expected names with commas between"
  own=$corpus_dir$train_dir$test_dir$prepare_options
  [ "$own$data_seed$trials$max_trials" = 0all200000 ] || fail "--corpus $corpus: --*-dir," \
    "--prepare-options, --data-seed, --trials, --max-trials are for each of them, alone"
else
  [ -f "local/prepare_$corpus.py" ] || fail "--corpus $corpus: unknown; known:" \
    "$(find local -name 'prepare_*.py' | sed 's/.*prepare_//; s/\.py//' | sort | xargs)"
fi
name=${name:-${corpus//,/+}}
[[ $name =~ ^$word$ ]] || fail "--name $name: expected a folder's name, no path, comma or space"
[ -f "$config" ] || fail "--config $config: no such file; there are: $(echo conf/*.yaml)"
(( stage <= 1 )) || [ -z "$noise_dir$rir_dir" ] ||
  fail "--noise-dir, --rir-dir: copies are made in stage 1, not from --stage $stage on"
for folder in "$noise_dir" "$rir_dir"; do
  [ -z "$folder" ] || [ -d "$folder" ] || fail "--noise-dir, --rir-dir: $folder: no such folder"
done
words=$(xargs -r printf '%s\n' <<< "$prepare_options" 2> /dev/null) ||
  fail "--prepare-options $prepare_options: a quotation does not end"
prepare_words=(); [ -z "$words" ] || mapfile -t prepare_words <<< "$words"

. ./path.sh

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

log() { echo "$(date '+%F %T') $*" >&2; }
run_stage() { (( stage <= $1 && $1 <= stop_stage )) && log "Stage $1: $2"; }

# The x-vector directories of a phase; those of the experiment's last word are its own.
case $trained in *finetuning*) last=finetuning ;; *) last=pretraining ;; esac
xvectors() { if [ "$1" = "$last" ]; then echo "$experiment"; else echo "$experiment/$1"; fi; }

if run_stage 0 "Prepare corpus '$corpus': manifests, data directories, trials"; then
  if [[ $corpus = *,* ]]; then
    IFS=, read -ra corpora <<< "$corpus"
    local/combine_corpora.py "$data" "${corpora[@]/#/data/}" "${jobs[@]}"
  else
    "local/prepare_$corpus.py" "$data" "${jobs[@]}" --data-seed "$data_seed" --trials "$trials" \
      --max-trials "$max_trials" ${corpus_dir:+--corpus-dir "$corpus_dir"} \
      ${train_dir:+--train-dir "$train_dir"} ${test_dir:+--test-dir "$test_dir"} \
      "${prepare_words[@]}"
  fi
fi

if run_stage 1 "Compute filterbanks and voice activity"; then
  pyscripts/compute_features.py --config "$config" "${jobs[@]}" "$data/train" "$data/test"
  if [ "$train_set" = train_augmented ]; then
    rm -rf "${data:?}/$train_set"  # it points into what is replaced now
    pyscripts/augment_data_dir.py --config "$config" "${jobs[@]}" "$data/train" \
      "$data/train_copies" ${noise_dir:+--noise-dir "$noise_dir"} ${rir_dir:+--rir-dir "$rir_dir"}
    pyscripts/compute_features.py --config "$config" "${jobs[@]}" "$data/train_copies"
    pyscripts/join_data_dirs.py "${jobs[@]}" "$data/train" "$data/train_copies" "$data/$train_set"
  fi
fi

keep_config() {  # beside the results it made
  [ "$config" -ef "$experiment/config.yaml" ] || cp "$config" "$experiment/config.yaml"
}
train_network() {
  pyscripts/train_network.py --config "$config" --device "$device" --ranks "$ranks" --phase "$@" \
    ${resume_option:+$resume_option} "$data/$train_set" "$experiment/$1"
}
resume_option=; [ "$resume" = false ] || resume_option=--resume

if run_stage 2 "Pre-train the network"; then
  train_network pretraining ${initial_checkpoint:+--initial-checkpoint "$initial_checkpoint"}
  keep_config
fi

if run_stage 3 "Fine-tune it"; then
  if [[ $trained = *finetuning* ]]; then
    for phase in ${trained#pretraining}; do
      train_network "$phase" --initial-checkpoint "$experiment/pretraining/best.pt"
    done
    keep_config
  else
    log "Nothing to do: $config has no fine-tuning"
  fi
fi

if run_stage 4 "Extract embeddings"; then
  extract() {
    pyscripts/extract_embeddings.py --config "$config" --device "$device" "${jobs[@]}" \
      "$2" "$(xvectors "$1")" "$data/train" "$data/test"
  }
  pyscripts/extract_statistics.py --config "$config" "$data/train" "$data/test" "$experiment"
  extract "$start" "${initial_checkpoint:-$experiment/pretraining/initial.pt}"
  for phase in $trained; do extract "$phase" "$experiment/$phase/best.pt"; done
  [ -e "$experiment/config.yaml" ] || keep_config
fi

if run_stage 5 "Score the trials"; then
  for phase in $phases; do
    pyscripts/score_trials.py "$data/test" "$(xvectors "$phase")/xvectors_test" \
      "$experiment/scores/$phase"
  done
fi

if run_stage 6 "Compute error rates"; then
  # shellcheck disable=SC2086  # a list of phases
  pyscripts/compute_metrics.py "$data/test" "$experiment" $phases
fi

log "Done, in $((SECONDS / 60)) min $((SECONDS % 60)) s"
