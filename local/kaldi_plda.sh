#!/usr/bin/env bash
# Score trial lists by Kaldi's PLDA and by cosines, from the x-vectors of stage 4:
#
#   KALDI_ROOT=/opt/kaldi local/kaldi_plda.sh [options] E      # E: exp/<name>/<experiment>
#
# Reads D, the folder data/<name> beside exp/<name>. Fits mean, LDA and PLDA as egs/voxceleb/v2 of
# Kaldi does, without the held-out speakers, as stage 5. Prints EER and minDCF. Writes
#   E/<phase>/xvectors_train/{mean.vec,transform.mat,plda}
#   E/scores/<phase>.<list>.{kaldi_plda,kaldi_cosine}     rows of ./run.sh --stage 6
#   E/scores/<phase>.<list>.kaldi_plda.llr                with --calibrate true: log ratios
#   E/scores/log/<phase>.*.log                            what each program said
#
# Lists may name utterances, speakers, and models of D/test/enroll_spk2utt. Scores also
# E/scores/calibration_trials, if there: stage 6 calibrates by them. Without KALDI_ROOT, takes
# Kaldi's programs, and the scripts that give error rates, from the PATH. Options:
#
#   --phase finetuning    whose x-vectors
#   --trials trials       trial lists in D/test, several in quotes
#   --lda-dim 150         below the number of training speakers, at most the size of the x-vectors
#   --calibrate true      also turn the PLDA scores of lists of utterances into log likelihood
#                         ratios, learnt on the held-out speakers (by E/scores/calibration_trials);
#                         false: fit on these too, as Kaldi's recipe does, and calibrate nothing

set -euo pipefail
recipe=$(cd "$(dirname "$0")/.." && pwd)
export LC_ALL=C
fail() { echo "kaldi_plda.sh: $*" >&2; exit 1; }
phase=finetuning trials=trials lda_dim=150 calibrate='' folders=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    --?*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    --phase | --trials | --lda-dim | --calibrate)
      [ -n "${2:-}" ] || fail "option $1 needs a value; see --help"
      printf -v "$(tr - _ <<< "${1#--}")" %s "$2"; shift 2 ;;
    -*) fail "unknown option $1; see --help" ;;
    *) folders+=("$1"); shift ;;
  esac
done
[[ $lda_dim =~ ^[1-9][0-9]*$ ]] || fail "--lda-dim $lda_dim: expected a whole number of at least 1"
[[ $calibrate =~ ^(true|false|)$ ]] || fail "--calibrate $calibrate: expected true or false"
[ ${#folders[@]} = 1 ] || fail "expected one folder exp/<name>/<experiment>, got ${#folders[@]}"
experiment=$(realpath -se -- "${folders[0]}" 2> /dev/null) || fail "${folders[0]}: no such folder"
corpus=${experiment%/*} scores=$experiment/scores calibration=$experiment/scores/calibration_trials
data=${corpus%/*/*}/data/${corpus##*/}  # lexically: exp/ may be a link
train=$experiment/$phase/xvectors_train test=$experiment/$phase/xvectors_test
[[ -s $train/xvector.scp && -s $test/xvector.scp ]] ||
  fail "$experiment/$phase: no xvectors_{train,test}: run stage 4, or see --phase"
held_out=$train/held_out_speakers
[ "$calibrate" != true ] || [ -s "$calibration" ] ||
  fail "--calibrate true: no $calibration: run stage 5, which draws them of held-out speakers"
[ "$calibrate" != false ] || calibration=/dev/null held_out=/dev/null
read -ra lists <<< "$trials"
for file in train/utt2spk train/spk2utt test/spk2utt "${lists[@]/#/test/}"; do
  [ -s "$data/$file" ] || fail "$data/$file: missing or empty: run stage 0, or see --trials"
done
for folder in egs/sre08/v1/sid egs/voxceleb/v1/local src/bin src/ivectorbin; do
  [ -z "${KALDI_ROOT:-}" ] || PATH=$(realpath -m "$KALDI_ROOT/$folder"):$PATH
done
for program in ivector-plda-scoring transform-vec prepare_for_eer.py compute_min_dcf.py; do
  command -v $program > /dev/null || fail "no $program: set KALDI_ROOT to a built Kaldi"
done

mkdir -p "$scores/log"
work=$(mktemp -d "$scores/kaldi_plda.XXXXXX")  # beside the outputs, which are renamed when whole
trap 'rm -rf "$work"' EXIT
cd "$work"
logged() {  # <name of the log> <command>...
  local log=$scores/log/$phase.$1.log; shift
  { echo "# $*"; echo "# Started at $(date)"; } > "$log"
  "$@" 2>> "$log" || fail "$1: $(grep -Em1 '^(ERROR|ASSERT)' "$log" || tail -n1 "$log"); see $log"
}
project() {  # <vectors> <output>
  ivector-subtract-global-mean mean.vec "$1" ark:- | transform-vec transform.mat ark:- ark:- |
    ivector-normalize-length ark:- "$2"
}
compute_eer() { prepare_for_eer.py "$@" | compute-eer -; }
score() {  # <x-vectors> <trial list> [<tables of models, then speakers>]
  local list=${2##*/} backend eer min_dcf
  cut -d' ' -f1,2 "$2" > pairs
  # A name is an utterance's, else a model's or speaker's: the mean of its utterances.
  awk 'part == 1 { named[$1]; named[$2]; next }
    part == 2 { vector[$1]; $0 = $1 " " $1 }
    $1 in named { delete named[$1]; for (i = 2; i <= NF; i++) if (!($i in vector)) next; print }
    ' part=1 pairs part=2 "$1/xvector.scp" part=3 "${@:3}" > members
  logged "$list.mean" ivector-mean ark:members "scp:$1/xvector.scp" ark:mean.ark ark,t:num_utts
  logged "$list.project" project ark:mean.ark ark:projected.ark
  logged "$list.unit" ivector-normalize-length --scaleup=false ark:mean.ark ark:unit.ark
  logged "$list.kaldi_plda" ivector-plda-scoring --normalize-length=true --num-utts=ark:num_utts \
    plda ark:projected.ark ark:projected.ark pairs kaldi_plda
  logged "$list.kaldi_cosine" ivector-compute-dot-products pairs ark:unit.ark ark:unit.ark \
    kaldi_cosine
  for backend in kaldi_plda kaldi_cosine; do
    # Kaldi only warns of trials that name what has no vector, and leaves them out.
    (( $(wc -l < $backend) == $(wc -l < pairs) )) || fail "$2: mend it, or run stage 4 anew:" \
      "$(grep -om1 'Key .*' "$scores/log/$phase.$list.$backend.log")"
    eer=$(logged "$list.$backend.eer" compute_eer "$2" $backend)
    min_dcf=$(logged "$list.$backend.min_dcf" compute_min_dcf.py --p-target 0.01 $backend "$2")
    sync $backend
    mv $backend "$scores/$phase.$list.$backend"
    rm -f "$scores/$phase.$list.$backend.llr"  # of scores before these
    echo "$phase $list $backend: EER $eer %, minDCF $min_dcf (p-target 0.01)"
  done
  # Pairs of utterances say nothing of models and speakers.
  awk '$2 > 1 { exit 1 }' num_utts && ln -s "$2" "of_utterances/$list" || true
}
calibrate_scores() (  # by the logistic regression of stage 6
  cd "$recipe" && . ./path.sh &&
    pyscripts/fuse_scores.py --backend kaldi_plda "$work/of_utterances" "$work/llrs/$phase" \
      "$scores/$phase"
)

# Who trains: not the held-out speakers, their copies at other speeds, nor who calibrates.
awk 'part == 1 { speaker[$1] = $2 }
  part == 2 { out[$1] }
  part == 3 { out[speaker[$1]]; out[speaker[$2]] }
  part == 4 && $1 in speaker {
    original = speaker[$1]; sub(/^sp[01]\.[0-9]+-/, "", original)
    if (!(speaker[$1] in out || original in out)) { print $1, speaker[$1]; print > "train.scp" }
  }' part=1 "$data/train/utt2spk" \
  part=2 <(cat "$held_out" 2> /dev/null) part=3 <(cat "$calibration" 2> /dev/null) \
  part=4 "$train/xvector.scp" > utt2spk
logged mean ivector-mean scp:train.scp mean.vec
utterances=$(wc -l < utt2spk) speakers=$(cut -d' ' -f2 utt2spk | sort -u | wc -l)
size=$(($(wc -w < mean.vec) - 2))  # numbers between brackets
(( size <= utterances && speakers < utterances )) || fail "$train: $utterances utterances of" \
  "$speakers training speakers are too few for LDA: it wants $size, and several of a speaker"
(( lda_dim < speakers && lda_dim <= size )) || fail "--lda-dim $lda_dim: expected fewer than" \
  "the $speakers training speakers, and at most the $size dimensions of the x-vectors"
logged centre ivector-subtract-global-mean mean.vec scp:train.scp ark:centred.ark
logged lda ivector-compute-lda --total-covariance-factor=0.0 --dim="$lda_dim" \
  ark:centred.ark ark:utt2spk transform.mat
logged project project scp:train.scp ark:train.ark
logged plda ivector-compute-plda "ark:$data/train/spk2utt" ark:train.ark plda

mkdir of_utterances llrs
if [ -f "$calibration" ]; then score "$train" "$calibration"
else rm -f "$scores/$phase.calibration_trials".kaldi_{plda,cosine}; fi
rm -f of_utterances/*
for list in "${lists[@]}"; do score "$test" "$data/test/$list" "$data"/test/*spk2utt; done
sync mean.vec transform.mat plda
mv mean.vec transform.mat plda "$train"
[ "$calibrate" = true ] || exit 0
[ -n "$(ls of_utterances)" ] || fail "--calibrate true: $trials: no list of utterances to calibrate"
logged calibrate calibrate_scores
for list in of_utterances/*; do
  llrs=$scores/$phase.${list##*/}.kaldi_plda.llr
  mv "llrs/$phase.${list##*/}.fusion" "$llrs"
  echo "$llrs: log likelihood ratios"
done
