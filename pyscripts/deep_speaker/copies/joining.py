"""The training set and its copies joined to one data directory, which training reads."""

import hashlib
import heapq
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from deep_speaker.config import Experiment
from deep_speaker.config.stages import Stage
from deep_speaker.features.normalisation import cmvn_sums
from deep_speaker.features.origins import note_features
from deep_speaker.kaldi.archives import ArchiveTable, ArchiveWriter, write_scp
from deep_speaker.kaldi.data_dir import RECORDING_TABLES, UTTERANCE_TABLES
from deep_speaker.kaldi.tables import iterate_keys, iterate_table, read_table
from deep_speaker.system.files import replacing_directory
from deep_speaker.system.json_text import read_json
from deep_speaker.system.processes import map_in_processes
from deep_speaker.validation.data_dirs import validate_data_dir

RECORD = "augmented_copies.json"  # the options of copies, and fingerprints of what was joined


def adopt_voice_activity(copies: Path, originals: Path, num_jobs: int) -> None:
    """Give copies the voice activity of their originals, if they have as many frames.

    As Kaldi's recipe does, since an energy threshold takes noise for voice. vad.scp then points
    into the originals' arks; utt_cmvn.scp gets sums of those frames.
    """
    utt2uniq = read_table(copies / "utt2uniq")
    lengths = read_table(originals / "utt2num_frames")
    frames = read_table(copies / "utt2num_frames")
    pairs = [(key, utt2uniq[key]) for key in frames if lengths.get(utt2uniq[key]) == frames[key]]
    if not pairs:
        return
    parts = [pairs[job::num_jobs] for job in range(min(num_jobs, len(pairs)))]
    work = partial(_write_adopted_sums, copies, originals)
    adopted: dict[str, str] = {}
    for scp in map_in_processes(work, enumerate(parts, 1), num_jobs):
        adopted |= scp
    write_scp(copies / "utt_cmvn.scp", read_table(copies / "utt_cmvn.scp") | adopted)
    vad = read_table(originals / "vad.scp")
    own = read_table(copies / "vad.scp")
    write_scp(copies / "vad.scp", own | {key: vad[original] for key, original in pairs})
    note_features(copies)


def _write_adopted_sums(
    copies: Path, originals: Path, job: tuple[int, Sequence[tuple[str, str]]]
) -> dict[str, str]:
    number, pairs = job
    feats, vad = ArchiveTable(copies / "feats.scp"), ArchiveTable(originals / "vad.scp")
    with ArchiveWriter(copies / "fbank" / f"utt_cmvn.adopted.{number}.ark") as writer:
        for key, original in pairs:
            voiced = np.asarray(vad.rows(original)) > 0
            writer.write(key, cmvn_sums(feats.rows(key)[voiced]))
    return writer.scp


def join_data_dirs(output: Path, train_dir: Path, copies: Path) -> None:
    """Join the tables of a training set and its copies, as Kaldi's combine_data.sh does.

    A table that one of them lacks is left out, except utt2uniq and segments, whose missing rows
    are known. Arks and audio stay where they are. `check_joined` checks the result later.

    Raises:
        ValueError: an id is in both, or one has no features.
    """
    folders = (train_dir, copies)
    record = read_record(copies)
    record["made_of"] = {str(folder.absolute()): fingerprint(folder) for folder in folders}
    with replacing_directory(output) as partial_folder:
        for name in ("utt2spk", "spk2gender", *RECORDING_TABLES, *UTTERANCE_TABLES):
            if all(_has_table(folder, name, folders) for folder in folders):
                tables = [_iterate_rows(folder, name) for folder in folders]
                _write_merged(partial_folder / name, tables)
        with (partial_folder / "spk2utt").open("w", encoding="utf-8") as file:
            rows = iterate_table(partial_folder / "utt2spk")
            for speaker, group in groupby(rows, lambda row: row[1]):
                file.write(f"{speaker} {' '.join(key for key, _ in group)}\n")
        shutil.copytree(train_dir / "conf", partial_folder / "conf")
        shutil.copy(train_dir / "frame_shift", partial_folder)
        validate_data_dir(partial_folder)
        write_record(partial_folder, record)
        note_features(partial_folder, [folder / "feats.scp" for folder in folders])


def _has_table(folder: Path, name: str, folders: Sequence[Path]) -> bool:
    if name in ("utt2uniq", "segments"):
        return any((other / name).is_file() for other in folders)
    return (folder / name).is_file()


def _iterate_rows(folder: Path, name: str) -> Iterator[tuple[str, str]]:
    """Yield the rows of a table, or those that a missing utt2uniq or segments would have."""
    if (folder / name).is_file():
        return iterate_table(folder / name)
    if name == "utt2uniq":
        return ((key, key) for key in iterate_keys(folder / "utt2spk"))
    return ((key, f"{key} 0 {value}") for key, value in iterate_table(folder / "utt2dur"))


def _write_merged(path: Path, tables: Sequence[Iterator[tuple[str, str]]]) -> None:
    """Merge sorted tables; write a row that several have, such as a speaker's sex, once."""
    with path.open("w", encoding="utf-8") as file:
        for (key, value), _ in groupby(heapq.merge(*tables)):
            file.write(f"{key} {value}\n")


def make_record(experiment: Experiment) -> dict[str, Any]:
    """Return the options that decide the copies, besides the recordings they are made with."""
    options = experiment.augmented_copies
    return {"seed": experiment.seed, "options": options and options.model_dump(mode="json")}


def write_record(data_dir: Path, record: Mapping[str, Any]) -> None:
    """Write the record of a directory of copies, or of a joined one."""
    (data_dir / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def read_record(data_dir: Path) -> dict[str, Any]:
    """Read the record of a directory of copies, or of a joined one.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    path = data_dir / RECORD
    if not path.is_file():
        raise ValueError(Stage.FEATURES.missing(path))
    record = read_json(path, Stage.FEATURES.again)
    if not isinstance(record, dict):
        raise ValueError(f"{path}: expected keys and values: {Stage.FEATURES.again}")
    return record


def check_joined(data_dir: Path, experiment: Experiment) -> None:
    """Refuse to train on other copies than the experiment's, or on features of an earlier run.

    Raises:
        ValueError: the record differs, or is missing, or features are missing or have changed.
    """
    if experiment.augmented_copies is None and not (data_dir / RECORD).is_file():
        return
    record = read_record(data_dir)
    made_of = record.pop("made_of", None)
    if record != make_record(experiment) or not isinstance(made_of, dict):
        raise ValueError(
            f"{data_dir} was made with other augmented_copies or another seed than the config's: "
            f"{Stage.FEATURES.with_this_config}"
        )
    for folder, found in made_of.items():
        if fingerprint(Path(folder)) != found:
            raise ValueError(
                f"{folder} has changed since {data_dir} was made of it: "
                f"{Stage.FEATURES.with_this_config}"
            )


def fingerprint(folder: Path) -> str:
    """Hash the table of features of a directory, and the options they were computed with."""
    digest = hashlib.sha256()
    feats = folder / "feats.scp"
    if not feats.is_file():
        raise ValueError(Stage.FEATURES.missing(feats))
    for path in [feats, *sorted((folder / "conf").iterdir())]:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
