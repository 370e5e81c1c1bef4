#!/usr/bin/env bash
# Speaker verification with Deep Speaker, from audio to error rates, in seven stages:
#
#   0  Lhotse manifests, Kaldi data directories, trials    data/<name>/{manifests,train,test}
#   1  filterbanks and voice activity (ark/scp); copies    data/<name>/{train,test}/feats.scp
#   2  pre-training, by softmax, or by a teacher           exp/<name>/<experiment>/pretraining
#   3  fine-tuning, by triplets; its control without them  exp/<name>/<experiment>/finetuning
#   4  embeddings (ark/scp) of all phases and floors       exp/<name>/<experiment>/<phase>/xvectors_*
#   5  scores of the trials: cosine, LDA, PLDA, AS-norm    exp/<name>/<experiment>/scores
#   6  EER, DCF, Cllr; report.html; the model, to use      exp/<name>/<experiment>/results.json
#
# Without options it runs all of them on the embedded corpus of synthetic voices. Usage:
#
#   ./run.sh [--stage N] [--stop-stage N] [--config conf/<experiment>.yaml]
#   ./run.sh --corpus librispeech --corpus-dir /data/LibriSpeech
#   ./run.sh --corpus folder --corpus-dir speakers/          # <speaker>/**/*.{wav,flac,...}
#   ./run.sh --corpus folder --train-dir a/ --test-dir b/ --name mine
#   ./run.sh --corpus librispeech,mine    # several at once: data/librispeech and data/mine, each
#                                         # made before as above, with --stop-stage 0
#   ./run.sh --set pretraining.loss.margin=0.2 --set seed=1    # results in <config>.<setting>...
#   ./run.sh --config conf/resnetse34l.yaml --override conf/overrides/few_steps.yaml
#   ./run.sh --corpus folder --test-dir b/ --config conf/resnetse34l.yaml --initial-model lite.model
#   ./run.sh --corpus folder --test-dir b/ --initial-model models/<name>    # by its own config
#   ./run.sh --corpus folder --test-dir b/ --name b --experiment exp/mine/embedded
#
# Without training speakers weights are judged by what needs no fitting; by --experiment with all
# that is fitted: back ends, calibration, floors. With training speakers, --initial-model FILE
# --stage 4 judges FILE, and --stage 2 pre-trains from it. --stage 3 fine-tunes it, unless
# pre-training was begun in this experiment's folder: then it goes on from that. A model of models/
# is fine-tuned without --stage as well, if its config has fine-tuning.
#
# A config with distillation learns from a teacher, which pyscripts/import_checkpoint.py makes of
# published weights:
#
#   ./run.sh --corpus folder --corpus-dir speech/ --config small.yaml --teacher exp/teacher/best.pt
#
# Options, with their defaults:

set -euo pipefail
cd "$(dirname "$0")"
command_line=("$@")

corpus=embedded              # prepared by local/prepare_<corpus>.py; or several: a,b,c
name=                        # of data/<name> and exp/<name> (default: the corpus; of several a+b+c)
corpus_dir=                  # where a real corpus lies
train_dir=                   # of corpora that take two folders: the training speakers
test_dir=                    # likewise: the test speakers; alone to judge published weights
config=                      # the experiment, all hyper-parameters (default: conf/embedded.yaml)
override=                    # files whose keys replace the config's; results in <config>.<override>
set=()                       # a key of the config and its value, key=value; as often as wanted
noise_dir=                   # for augmented_copies of the config: MUSAN, or any folder of noises
rir_dir=                     # likewise: RIRS_NOISES, or any folder of impulse responses
initial_model=               # published weights, model folder, exp/.../best.pt: to judge, train from
experiment=                  # exp/<name>/<experiment> to judge the speakers of --test-dir by
teacher=                     # checkpoints that distillation learns from: "a.pt b.pt"
adaptation_set=              # data/<other>/<set> of stage 1, unlabelled: PLDA adapts to it
backend_dir=                 # mean.vec, transform.mat, plda of Kaldi: the last phase's scores by it
stage=0                      # first stage to run
stop_stage=6                 # last stage to run
nj=                          # parallel jobs, at least 1 (default: one per core)
dask=                        # stages 1, 4, 5 on a cluster: tcp://host:8786, slurm, or a .yaml file
cmd=                         # likewise, by Kaldi: "queue.pl --mem 4G" (default: cmd.sh's train_cmd)
device=auto                  # of training and extraction: auto, cpu, cuda or cuda:N
precision=auto               # of training and extraction: bfloat16, float32, or by a trial
threads=                     # of training on a CPU (default: one, or one per core, by a trial)
ranks=1                      # processes that train together, with a GPU each where there are any
nodes=1                      # machines with as many ranks each: docs/clusters.md
rendezvous=                  # host:port of one of several machines, where they meet
launcher=                    # what starts a command on all of them, such as srun and its options
resume=auto                  # interrupted stages 2, 3 go on; true: finished ones stay; false: anew
checkpoint_minutes=10        # between the checkpoints within a long epoch
control=true                 # also continue pre-training, to tell what fine-tuning adds
data_seed=0                  # stage 0 of one corpus: voices, split of speakers, trials
trials=all                   # stage 0 of one corpus: all pairs up to max-trials, or balanced
max_trials=200000            # stage 0 of one corpus: of each trial list
prepare_options=             # stage 0: further options of local/prepare_<corpus>.py (its --help)

. local/parse_options.sh
. local/check_options.sh
if [ "${RUN_PROCESS:-}" != "$PPID" ]; then  # from the top again, below what can end all of it
  . ./path.sh
  exec pyscripts/supervise_run.py "$BASH" "./$(basename "$0")" "${command_line[@]}"
fi

. local/run_stage.sh
. local/train_network.sh
case " ${prepare_words[*]} " in *" --help "* | *" -h "*) exec "local/prepare_$corpus.py" --help ;; esac
. local/lock_folders.sh
. local/plan_run.sh
lock_data "$stage"
data_dirs=("${parts[@]/#/$data/}")

if run_stage 0 "$data" "Prepare corpus '$corpus': manifests, data directories, trials"; then
  if [[ $corpus = *,* ]]; then
    IFS=, read -ra corpora <<< "$corpus"
    local/combine_corpora.py "$data" "${corpora[@]/#/data/}" "${jobs[@]}"
  else
    "local/prepare_$corpus.py" "$data" "${jobs[@]}" --data-seed "$data_seed" --trials "$trials" \
      --max-trials "$max_trials" ${corpus_dir:+--corpus-dir "$corpus_dir"} \
      ${train_dir:+--train-dir "$train_dir"} ${test_dir:+--test-dir "$test_dir"} \
      "${prepare_words[@]}"
  fi
  pyscripts/validate_data_dir.py "${data_dirs[@]}"
  finish_stage 0 "$data"
fi

if run_stage 1 "$data" "Compute filterbanks and voice activity"; then
  pyscripts/compute_features.py --config "$config" "${workers[@]}" "${data_dirs[@]}"
  if [ "$train_set" = train_augmented ]; then
    rm -rf "${data:?}/$train_set"  # it points into what is replaced now
    pyscripts/augment_data_dir.py --config "$config" "${jobs[@]}" "$data/train" \
      "$data/train_copies" ${noise_dir:+--noise-dir "$noise_dir"} ${rir_dir:+--rir-dir "$rir_dir"}
    pyscripts/compute_features.py --config "$config" "${workers[@]}" "$data/train_copies"
    pyscripts/join_data_dirs.py "${jobs[@]}" "$data/train" "$data/train_copies" "$data/$train_set"
    pyscripts/validate_data_dir.py "$data/train_copies" "$data/$train_set"
  fi
  pyscripts/validate_data_dir.py "${data_dirs[@]}"
  finish_stage 1 "$data"
fi

(( stop_stage < 2 )) || lock_data 2
if run_stage 2 "$experiment" "Pre-train the network" && trains "$trained_in_2"; then
  for phase in $trained_in_2; do train_network "$phase"; done
  keep_config
  finish_stage 2 "$experiment"
fi

if run_stage 3 "$experiment" "Fine-tune it" && trains "$trained_in_3"; then
  for phase in $trained_in_3; do train_network "$phase"; done
  keep_config
  finish_stage 3 "$experiment"
fi

if run_stage 4 "$experiment" "Extract embeddings"; then
  also=()
  for phase in $trained; do also+=(--also "$experiment/$phase/best.pt" "$experiment/$phase"); done
  pyscripts/extract_embeddings.py --config "$config" --device "$device" --precision "$precision" \
    "${workers[@]}" "${also[@]}" ${adaptation_set:+--adaptation-set "$adaptation_set"} \
    "${initial_checkpoint:-$experiment/${trained%% *}/initial.pt}" \
    "$experiment/$start" "${data_dirs[@]}"
  if [ ! -d "$fitted_on" ]; then log "No floors of statistics: $data has no training speakers"
  else pyscripts/extract_statistics.py --config "$config" "$fitted_on" "$data/test" "$experiment"; fi
  folders=()
  for phase in "${phases[@]}"; do folders+=("${parts[@]/#/$experiment/$phase/xvectors_}"); done
  pyscripts/validate_data_dir.py "${folders[@]}"
  rm -rf "${experiment:?}"/xvectors_{train,test}
  for part in "${parts[@]}"; do  # where scripts for Kaldi look for them: those of the last phase
    ln -s "$last/xvectors_$part" "$experiment/xvectors_$part"
  done
  [ -e "$experiment/config.yaml" ] || keep_config
  finish_stage 4 "$experiment"
fi

if run_stage 5 "$experiment" "Score the trials"; then
  pyscripts/score_trials.py --config "$config" ${backend_dir:+--backend-dir "$backend_dir"} \
    ${adaptation_set:+--adaptation-set "$adaptation_set"} "${workers[@]}" "$fitted_on" \
    "$data/test" "$experiment" "${phases[@]}"
  finish_stage 5 "$experiment"
fi

if run_stage 6 "$experiment" "Compute error rates"; then
  pyscripts/compute_metrics.py --config "$config" "$data/test" "$experiment" "${phases[@]}"
  [ ! -e "$experiment/results.json" ] ||
    pyscripts/write_report.py "$data/test" "$experiment" "${phases[@]}"
  if [ -n "$judged_by" ]; then log "The model is that of $judged_by"
  else pyscripts/write_model.py --precision float32 "$experiment" "$last" "$experiment/model"; fi
  end_stage
fi

log "Done, in $((SECONDS / 60)) min $((SECONDS % 60)) s"
