"""Kaldi's own demands on a data directory, restated with its scripts' tools; arks read back."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kaldi_native_io
import kaldiio
import numpy as np

from deep_speaker.kaldi.tables import read_table

# What utils/validate_data_dir.sh and validate_text.pl check, `--no-text --no-feats`.
CHECKS = r"""
export LC_ALL=C
complain() { echo "$*"; exit 1; }
keys() { awk '{ print $1 }' "$1"; }

for table in utt2spk spk2utt wav.scp; do
  [ -s "$table" ] || complain "$table: missing or empty"
done
awk 'NF != 2 { exit 1 }' utt2spk || complain "utt2spk: wrong format"
for table in utt2spk spk2utt wav.scp segments text feats.scp vad.scp utt2dur utt2num_frames \
  reco2dur spk2gender cmvn.scp reco2file_and_channel spk2warp utt2warp utt2lang utt2uniq
do
  [ -f "$table" ] || continue
  [ -z "$(tail -c 1 "$table")" ] || complain "$table: no newline at the end"
  keys "$table" | sort | uniq | cmp -s - <(keys "$table") || complain "$table: not sorted or unique"
done
sort -k2 utt2spk | cmp -s - utt2spk || complain "utt2spk: not sorted by speaker"
perl -ne '@a = split(" ", $_); $s = shift @a; print "$_ $s\n" for @a' spk2utt |
  cmp -s - <(awk '{ print $1, $2 }' utt2spk) || complain "spk2utt: does not match utt2spk"
for table in text feats.scp vad.scp utt2dur utt2num_frames utt2warp utt2lang utt2uniq; do
  [ -f "$table" ] || continue
  cmp -s <(keys utt2spk) <(keys "$table") || complain "$table: other keys than utt2spk"
done
for table in spk2gender cmvn.scp spk2warp; do
  [ -f "$table" ] || continue
  cmp -s <(keys spk2utt) <(keys "$table") || complain "$table: other keys than spk2utt"
done
if [ -f text ]; then
  ! LC_ALL=C.UTF-8 grep -q '[^[:print:][:space:]]' text || complain "text: not printable"
  ! grep -q $'\r' text || complain "text: carriage return"
  perl -CI -ne 's/[\t\n ]//g; exit 1 if /\s/' < text || complain "text: disallowed white space"
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
for table in wav.scp reco2dur reco2file_and_channel; do
  [ -f "$table" ] || continue
  cmp -s <(recordings) <(keys "$table") || complain "$table: other recordings than segments"
done
if [ -f reco2file_and_channel ]; then
  awk 'NF != 3 || ($3 != "A" && $3 != "B" && $3 != "1") { exit 1 }' reco2file_and_channel ||
    complain "reco2file_and_channel: bad line"
fi
for table in utt2dur reco2dur; do
  [ -f "$table" ] || continue
  awk 'NF != 2 || !($2 > 0) { exit 1 }' "$table" || complain "$table: bad line"
done
for table in utt2warp spk2warp; do
  [ -f "$table" ] || continue
  awk 'NF != 2 || !($2 > 0.5 && $2 < 1.5) { exit 1 }' "$table" || complain "$table: bad line"
done
if [ -f utt2num_frames ]; then
  awk 'NF != 2 || !($2 > 0) || $2 != int($2) { exit 1 }' utt2num_frames ||
    complain "utt2num_frames: bad line"
fi
if [ -f spk2gender ]; then
  awk 'NF != 2 || ($2 != "m" && $2 != "f") { exit 1 }' spk2gender || complain "spk2gender: bad line"
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


# Kaldi's readers of what this project writes, by the name up to its first dot.
READERS = {
    "feats": kaldi_native_io.SequentialFloatMatrixReader,
    "vad": kaldi_native_io.SequentialFloatVectorReader,
    "utt_cmvn": kaldi_native_io.SequentialDoubleMatrixReader,
    "xvector": kaldi_native_io.SequentialFloatVectorReader,
    "spk_xvector": kaldi_native_io.SequentialFloatVectorReader,
    "xvector_crops": kaldi_native_io.SequentialFloatMatrixReader,
}
# Tables of text, and what they hold.
TEXTS = {
    "num_utts.ark": kaldi_native_io.SequentialInt32Reader,
    "utt2num_frames": kaldi_native_io.SequentialInt32Reader,
    "utt2dur": kaldi_native_io.SequentialDoubleReader,
    "reco2dur": kaldi_native_io.SequentialDoubleReader,
    "utt2spk": kaldi_native_io.SequentialTokenReader,
    "utt2uniq": kaldi_native_io.SequentialTokenReader,
    "spk2gender": kaldi_native_io.SequentialTokenReader,
    "spk2utt": kaldi_native_io.SequentialTokenVectorReader,
    "enroll_spk2utt": kaldi_native_io.SequentialTokenVectorReader,
    "text": kaldi_native_io.SequentialTokenVectorReader,
    "segments": kaldi_native_io.SequentialTokenVectorReader,
}


def read_all(folder: Path) -> dict[str, int]:
    """Read every table and ark below a folder by Kaldi's own code and by kaldiio, and compare.

    kaldiio reads no numbers and words; those are compared with the table's own.

    Returns:
        The number of rows by path, relative to the folder.

    Raises:
        KeyError: there is an ark or scp file of an unknown name.
    """
    counts = {}
    for path in sorted(folder.rglob("*")):
        if path.name in TEXTS:
            count = _compare_text(path)
        elif path.suffix in (".ark", ".scp") and path.name != "wav.scp":
            count = _compare_arrays(path)
        else:
            continue
        counts[path.relative_to(folder).as_posix()] = count
    return counts


def _compare_text(path: Path) -> int:
    reader = TEXTS[path.name]
    found = dict(_read(reader, f"ark:{path}"))
    expected = read_table(path)
    assert list(found) == list(expected), path
    for key, value in found.items():
        words = value if isinstance(value, list) else [str(value)]
        if isinstance(value, float):
            assert value == float(expected[key]), (path, key)
        else:
            assert words == expected[key].split(), (path, key)
    return len(found)


def _compare_arrays(path: Path) -> int:
    is_scp = path.suffix == ".scp"
    reader = READERS[path.name.split(".")[0]]
    by_kaldiio = dict(kaldiio.load_scp(str(path)) if is_scp else kaldiio.load_ark(str(path)))
    keys = []
    for key, value in _read(reader, f"{path.suffix[1:]}:{path}"):
        keys.append(key)
        expected = by_kaldiio[key]
        # Of 2-byte compression the two round differently.
        rounding = 4 * np.spacing(np.abs(expected).max()) if path.name.startswith("feats") else 0
        np.testing.assert_allclose(value, expected, rtol=0, atol=rounding, err_msg=f"{path} {key}")
    assert keys == list(by_kaldiio), path
    assert not is_scp or keys == sorted(read_table(path)), path
    return len(keys)


def _read(reader: type, specifier: str) -> Iterator[tuple[str, Any]]:
    with reader(specifier) as rows:
        for key, value in rows:
            yield key, np.array(value) if hasattr(value, "__array__") else value
