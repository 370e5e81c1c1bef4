"""Kaldi's own demands on a data directory, restated with its scripts' tools; vectors read back."""

import subprocess
from pathlib import Path

import kaldiio
import numpy as np

# What utils/validate_data_dir.sh checks, `--no-text`.
CHECKS = r"""
export LC_ALL=C
complain() { echo "$*"; exit 1; }
keys() { awk '{ print $1 }' "$1"; }

for table in utt2spk spk2utt wav.scp; do
  [ -s "$table" ] || complain "$table: missing or empty"
done
awk 'NF != 2 { exit 1 }' utt2spk || complain "utt2spk: wrong format"
for table in utt2spk spk2utt wav.scp segments text feats.scp vad.scp utt2dur utt2num_frames \
  reco2dur spk2gender
do
  [ -f "$table" ] || continue
  [ -z "$(tail -c 1 "$table")" ] || complain "$table: no newline at the end"
  keys "$table" | sort | uniq | cmp -s - <(keys "$table") || complain "$table: not sorted or unique"
done
sort -k2 utt2spk | cmp -s - utt2spk || complain "utt2spk: not sorted by speaker"
awk '{ for (i = 2; i <= NF; i++) print $i, $1 }' spk2utt |
  cmp -s - <(awk '{ print $1, $2 }' utt2spk) || complain "spk2utt: does not match utt2spk"
for table in text feats.scp vad.scp utt2dur utt2num_frames; do
  [ -f "$table" ] || continue
  cmp -s <(keys utt2spk) <(keys "$table") || complain "$table: other keys than utt2spk"
done
if [ -f text ]; then
  for symbol in '<s>' '</s>' '#0'; do
    ! grep -qw -- "$symbol" text || complain "text: illegal symbol $symbol"
  done
fi
! grep -Eq '^\S+\s+~' wav.scp || complain "wav.scp: tilde"
recordings() { keys utt2spk; }
if [ -f segments ]; then
  awk 'NF != 4 || $4 <= $3 { exit 1 }' segments || complain "segments: bad line"
  cmp -s <(keys utt2spk) <(keys segments) || complain "segments: other keys than utt2spk"
  recordings() { awk '{ print $2 }' segments | sort | uniq; }
fi
for table in wav.scp reco2dur; do
  [ -f "$table" ] || continue
  cmp -s <(recordings) <(keys "$table") || complain "$table: other recordings than segments"
done
for table in utt2dur reco2dur; do
  [ -f "$table" ] || continue
  awk 'NF != 2 || !($2 > 0) { exit 1 }' "$table" || complain "$table: bad line"
done
if [ -f utt2num_frames ]; then
  awk 'NF != 2 || !($2 > 0) || $2 != int($2) { exit 1 }' utt2num_frames ||
    complain "utt2num_frames: bad line"
fi
if [ -f spk2gender ]; then
  awk 'NF != 2 || ($2 != "m" && $2 != "f") { exit 1 }' spk2gender || complain "spk2gender: bad line"
  cmp -s <(keys spk2utt) <(keys spk2gender) || complain "spk2gender: other keys than spk2utt"
fi
echo valid
"""


def validate(folder: Path) -> str:
    """`valid`, or Kaldi's first complaint about a data directory."""
    command = ["bash", "-c", CHECKS]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout.strip()


def read_by_kaldiio(scp: Path) -> dict[str, np.ndarray]:
    """All vectors that an scp file names."""
    return dict(kaldiio.load_scp(str(scp)))
