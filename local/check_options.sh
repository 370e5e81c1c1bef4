# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables of run.sh
# Check run.sh's options before any work is done. Sets `name`, `data`, `parts` (of the data: `train`,
# `test`), `jobs`, `workers`, `prepare_words`.

fail() { echo "run.sh: $*" >&2; exit 1; }
(( stage <= stop_stage && stop_stage <= 6 )) ||
  fail "--stage $stage --stop-stage $stop_stage: expected 0 <= stage <= stop-stage <= 6"
[[ $nj =~ ^([1-9][0-9]*)?$ ]] || fail "--nj $nj: expected a whole number of at least 1"
[[ $threads =~ ^([1-9][0-9]*)?$ ]] ||
  fail "--threads $threads: expected a whole number of at least 1"
(( nodes == 1 )) || [ -n "$rendezvous" ] ||
  fail "--nodes $nodes: name a --rendezvous, host:port of one of them"
[[ $precision =~ ^(auto|bfloat16|float32)$ ]] ||
  fail "--precision $precision: expected auto, bfloat16 or float32"
[[ $resume =~ ^(auto|true|false)$ ]] || fail "--resume $resume: expected auto, true or false"
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
if [ -n "$experiment" ]; then
  [ -d "$experiment" ] || fail "--experiment $experiment: no such folder; exp/<name>/<experiment>"
  [ -z "$config$override${set[*]}$initial_model$teacher$corpus_dir$train_dir" ] ||
    fail "--experiment $experiment: its networks, config and training speakers are taken as they" \
      "are: without --config, --override, --set, --initial-model, --teacher, --corpus-dir," \
      "--train-dir"
  config=$experiment/config.yaml
  [ -f "$config" ] || fail "--experiment $experiment: no experiment, as it holds no config.yaml"
fi
if [ -d "$initial_model" ]; then
  for file in config.yaml weights.safetensors; do
    [ -f "$initial_model/$file" ] || fail "--initial-model $initial_model: no model folder, as it" \
      "holds no $file: name a folder that pyscripts/write_model.py wrote, or a file of weights"
  done
  config=${config:-${initial_model%/}/config.yaml}
elif [ -z "$config" ] && [ -f "$initial_model" ]; then  # a checkpoint of exp/<name>/<experiment>
  config=$(dirname "$(dirname "$initial_model")")/config.yaml
  [ -f "$config" ] || config=
fi
config=${config:-conf/embedded.yaml}
[ -f "$config" ] || fail "--config $config: no such file; there are: $(echo conf/*.yaml)"
(( stage <= 1 )) || [ -z "$noise_dir$rir_dir" ] ||
  fail "--noise-dir, --rir-dir: copies are made in stage 1, not from --stage $stage on"
for file in $teacher; do
  [ -f "$file" ] || fail "--teacher $file: no such file; a checkpoint, such as .../best.pt"
done
for folder in "$noise_dir" "$rir_dir"; do
  [ -z "$folder" ] || [ -d "$folder" ] || fail "--noise-dir, --rir-dir: $folder: no such folder"
done
[ -z "$backend_dir" ] || [ -f "$backend_dir/plda" ] ||
  fail "--backend-dir $backend_dir: holds no file plda, of Kaldi or of this recipe"
[ -z "$adaptation_set" ] || [ -f "$adaptation_set/feats.scp" ] ||
  fail "--adaptation-set $adaptation_set: holds no feats.scp: run stages 0 and 1 for it"
words=$(xargs -r printf '%s\n' <<< "$prepare_options" 2> /dev/null) ||
  fail "--prepare-options $prepare_options: a quotation does not end"
prepare_words=(); [ -z "$words" ] || mapfile -t prepare_words <<< "$words"
jobs=(); [ -z "$nj" ] || jobs=(--nj "$nj")
workers=("${jobs[@]}")  # of the stages that may run on a cluster; --nj is of that, if there is one
if [ -z "$dask$cmd" ] && [ -f cmd.sh ]; then
  # shellcheck source=/dev/null
  . ./cmd.sh
  cmd=${train_cmd:-}
fi
[ -z "$dask" ] || [ -z "$cmd" ] || fail "--dask $dask --cmd $cmd: expected one of them"
if [ -n "$dask$cmd" ]; then workers+=(${dask:+--dask "$dask"} ${cmd:+--cmd "$cmd"}) jobs=(); fi
data=data/$name
# Without training speakers: stage 0 by --test-dir alone, later stages by what it has prepared.
parts=(train test)
if (( stage == 0 )); then
  [[ -z $test_dir || -n $train_dir$corpus_dir ]] || parts=(test)
elif [[ -d $data/test && ! -d $data/train ]]; then
  parts=(test)
fi
if [ "${parts[0]}" = test ]; then
  [ -z "$noise_dir$rir_dir" ] ||
    fail "--noise-dir, --rir-dir: copies are of training speakers, and $data has none"
  (( stop_stage < 2 )) || [ -n "$initial_model$experiment" ] ||
    fail "$data has no training speakers: name" \
    "weights to judge with --initial-model, what to judge by with --experiment, or training" \
    "speakers with --train-dir (stage 0)"
elif [ -n "$experiment" ]; then
  fail "--experiment $experiment: it judges test speakers alone: name their folder by --test-dir" \
    "(stage 0), without training speakers, and another --name than '$name' if that has some"
fi
(( stage > 4 || stop_stage < 2 )) || [ -z "$initial_model" ] || [ -e "$initial_model" ] ||
  fail "--initial-model $initial_model: no such file or folder; see models/, and" \
    "local/download_published.sh --help"
