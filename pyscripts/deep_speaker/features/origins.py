"""What the features of a data directory were made of, and which of its tables a network hears."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.system.origins import note_origins

HEARD = ("feats.scp", "vad.scp", "utt_cmvn.scp")  # by one record, with the content of all


def note_features(data_dir: Path, made_of: Iterable[Path] | None = None) -> None:
    """Record what the features of a data directory were made of, once its tables are final.

    Audio itself is not summed: where a file was replaced, stage 1 has to be asked for. Nor is
    utt2spk among it, as who speaks changes no feature.

    Args:
        made_of: None: its recordings, wav.scp and segments.
    """
    if made_of is None:
        tables = (data_dir / name for name in ("wav.scp", "segments"))
        made_of = [path for path in tables if path.is_file()]
    content = sum_features(data_dir)
    outputs = [data_dir / name for name in HEARD]
    note_origins(outputs, made_of, contents=dict.fromkeys(outputs, content))


def sum_features(data_dir: Path) -> str:
    """Return a sum that changes with the voiced frames of any utterance.

    It is over the CMVN sums of these frames and of their squares, which are a hundredth of the
    frames: whatever the number of archives, equal features have one sum.
    """
    digest = hashlib.sha256()
    table = ArchiveTable(data_dir / "utt_cmvn.scp")
    for utterance in table:
        digest.update(f"{utterance} ".encode() + table.rows(utterance).tobytes())
    return digest.hexdigest()


def tables_heard(data_dir: Path) -> list[Path]:
    """Return the tables of a data directory that decide what a network hears, and of whom."""
    names = (*HEARD, "utt2spk", "utt2uniq")
    return [path for name in names if (path := data_dir / name).is_file()]
