#!/usr/bin/env bash
# Speaker verification with Deep Speaker, from audio to error rates, in seven stages:
#
#   0  Lhotse manifests, Kaldi data directories, trials    data/<corpus>/{manifests,train,test}
#   1  filterbanks and voice activity (ark/scp)            data/<corpus>/{train,test}/feats.scp
#   2  softmax pre-training                                exp/<corpus>/<experiment>/pretraining
#   3  triplet fine-tuning, and the control without it     exp/<corpus>/<experiment>/finetuning
#   4  embeddings (ark/scp) of all phases and floors       exp/<corpus>/<experiment>/xvectors_*
#   5  cosine scores of the trials                         exp/<corpus>/<experiment>/scores
#   6  EER, minDCF, identification accuracy                exp/<corpus>/<experiment>/results.json
#
# Without options it runs all of them on the embedded corpus of synthetic voices. Usage:
#
#   ./run.sh [--stage N] [--stop-stage N] [--config conf/<experiment>.yaml]
#   ./run.sh --corpus librispeech --corpus-dir /data/LibriSpeech
#   ./run.sh --corpus folder --corpus-dir speakers/          # <speaker>/**/*.{wav,flac,...}
#   ./run.sh --corpus folder --train-dir a/ --test-dir b/
#
# Options, with their defaults:

set -euo pipefail
cd "$(dirname "$0")"

corpus=embedded              # prepared by local/prepare_<corpus>.py
corpus_dir=                  # where a real corpus lies
train_dir=                   # corpus 'folder': folders of the training speakers
test_dir=                    # corpus 'folder': folders of the test speakers
config=conf/embedded.yaml    # the experiment: all hyper-parameters
stage=0                      # first stage to run
stop_stage=6                 # last stage to run
nj=                          # parallel jobs, at least 1 (default: one per core)
device=auto                  # of training and extraction: auto, cpu, cuda or cuda:N
resume=false                 # go on with an interrupted stage 2 or 3 after its last whole epoch
control=true                 # also continue pre-training, to tell what triplets add
data_seed=0                  # stage 0: voices, split of speakers, trials
trials=all                   # stage 0: all pairs up to max-trials, or balanced
max_trials=200000            # stage 0: of each trial list
prepare_options=             # stage 0: further options of local/prepare_<corpus>.py (its --help)

. local/parse_options.sh


fail() { echo "run.sh: $*" >&2; exit 1; }
(( stage <= stop_stage && stop_stage <= 6 )) ||
  fail "--stage $stage --stop-stage $stop_stage: expected 0 <= stage <= stop-stage <= 6"
[[ $nj =~ ^([1-9][0-9]*)?$ ]] || fail "--nj $nj: expected a whole number of at least 1"
[ -f "local/prepare_$corpus.py" ] || fail "--corpus $corpus: unknown; known:" \
  "$(find local -name 'prepare_*.py' | sed 's/.*prepare_//; s/\.py//' | sort | xargs)"
[ -f "$config" ] || fail "--config $config: no such file; there are: $(echo conf/*.yaml)"

. ./path.sh

jobs=(); [ -z "$nj" ] || jobs=(--nj "$nj")
data=data/$corpus
experiment=exp/$corpus/$(basename "$config" .yaml)
trained="pretraining finetuning"
[ "$control" = false ] || trained="$trained pretraining_continued"
phases="statistics statistics_no_mean untrained $trained"

log() { echo "$(date '+%F %T') $*" >&2; }
run_stage() { (( stage <= $1 && $1 <= stop_stage )) && log "Stage $1: $2"; }

# The x-vector directories of a phase: the fine-tuned network's are the experiment's own.
xvectors() { if [ "$1" = finetuning ]; then echo "$experiment"; else echo "$experiment/$1"; fi; }

if run_stage 0 "Prepare corpus '$corpus': manifests, data directories, trials"; then
  options=(--data-seed "$data_seed" --trials "$trials" --max-trials "$max_trials")
  [ -z "$corpus_dir" ] || options+=(--corpus-dir "$corpus_dir")
  [ -z "$train_dir" ] || options+=(--train-dir "$train_dir")
  [ -z "$test_dir" ] || options+=(--test-dir "$test_dir")
  # shellcheck disable=SC2086  # prepare_options are words
  "local/prepare_$corpus.py" "$data" "${jobs[@]}" "${options[@]}" $prepare_options
fi

if run_stage 1 "Compute filterbanks and voice activity"; then
  pyscripts/compute_features.py --config "$config" "${jobs[@]}" "$data/train" "$data/test"
fi

keep_config() {  # beside the results it made
  [ "$config" -ef "$experiment/config.yaml" ] || cp "$config" "$experiment/config.yaml"
}
train_network() {
  pyscripts/train_network.py --config "$config" --device "$device" --phase "$@" \
    ${resume_option:+$resume_option} "$data/train" "$experiment/$1"
}
resume_option=; [ "$resume" = false ] || resume_option=--resume

if run_stage 2 "Pre-train the network by softmax"; then
  train_network pretraining
  keep_config
fi

if run_stage 3 "Fine-tune it by triplets"; then
  initial=(--initial-checkpoint "$experiment/pretraining/best.pt")
  train_network finetuning "${initial[@]}"
  [ "$control" = false ] || train_network pretraining_continued "${initial[@]}"
  keep_config
fi

if run_stage 4 "Extract embeddings"; then
  extract() {
    for part in train test; do
      pyscripts/extract_embeddings.py --config "$config" --device "$device" "${jobs[@]}" \
        "$2" "$data/$part" "$(xvectors "$1")/xvectors_$part"
    done
  }
  pyscripts/extract_statistics.py --config "$config" "$data/train" "$data/test" "$experiment"
  extract untrained "$experiment/pretraining/initial.pt"
  for phase in $trained; do extract "$phase" "$experiment/$phase/best.pt"; done
fi

if run_stage 5 "Score the trials"; then
  for phase in $phases; do
    for list in trials trials_one_plus_99; do
      pyscripts/score_trials.py "$data/test/$list" "$(xvectors "$phase")/xvectors_test" \
        "$experiment/scores/$phase.$list.cosine"
    done
  done
fi

if run_stage 6 "Compute error rates"; then
  # shellcheck disable=SC2086  # a list of phases
  pyscripts/compute_metrics.py "$data/test" "$experiment" $phases
fi
