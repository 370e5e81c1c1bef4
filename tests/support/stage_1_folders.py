"""A test set as after stage 0, its bad and odd files, and what stage 1 leaves of it."""

import functools
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deep_speaker.corpora.manifests import write_manifests
from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.trials.lists import write_trials
from deep_speaker.trials.protocols import draw_one_plus_99, draw_trials
from support.speech import make_speech, make_utterances, snapshot, write_audio

NUM_SPEAKERS, PER_SPEAKER = 20, 4
# Four of eighty files would be 5 %, the most that is no failure; silence is none of the files'.
BAD = {
    "spk3-0": ("unreadable", lambda path: path.write_bytes(b"not audio " * 99)),
    "spk5-1": ("unreadable", lambda path: path.write_bytes(b"")),
    "spk7-0": ("too short", lambda path: write_audio(path, make_speech(0)[:1])),
    "spk9-1": ("silent", lambda path: write_audio(path, np.zeros(4000))),
}
ODD = {
    "spk2-0": lambda path: write_audio(path, make_speech(1, 0.3, 8000), 8000),
    "spk4-0": lambda path: write_audio(path, np.stack([make_speech(2), make_speech(3)], axis=1)),
    "spk6-0": lambda path: write_audio(path, make_speech(4, 0.3, 96000), 96000),
}
SCPS = ("feats.scp", "vad.scp", "utt_cmvn.scp")
TABLES = (*SCPS, "utt2num_frames", "wav.scp", "utt2spk", "utt2dur", "reco2dur")


def write_test_set(corpus: Path) -> Path:
    """A test set as after stage 0, none of it bad yet."""
    utterances = make_utterances(corpus / "audio", "spk", NUM_SPEAKERS, PER_SPEAKER)
    utterances.sort(key=lambda item: item.id)
    folder = corpus / "test"
    write_data_dir(folder, utterances)
    utt2spk = {item.id: item.speaker for item in utterances}
    rng = np.random.default_rng(0)
    write_trials(folder / "trials", draw_trials(utt2spk, "all", 10**6, rng))
    write_trials(folder / "trials_one_plus_99", draw_one_plus_99(utt2spk, 10**6, rng))
    write_manifests(folder, utterances)
    return corpus


def copy_test_set(prepared: Path, corpus: Path) -> Path:
    """A copy of the test set of one's own, with its audio."""
    shutil.copytree(prepared, corpus)
    wav_scp = corpus / "test" / "wav.scp"
    wav_scp.write_text(wav_scp.read_text().replace(str(prepared), str(corpus)))
    return corpus / "test"


def audio_file(folder: Path, utterance: str) -> Path:
    return next((folder.parent / "audio" / utterance.split("-")[0]).glob(f"{utterance[-1]}.*"))


def make_bad(folder: Path) -> None:
    for utterance, (_, spoil) in BAD.items():
        spoil(audio_file(folder, utterance))


def read_arrays(folder: Path, name: str) -> dict[str, np.ndarray]:
    table = ArchiveTable(folder / name)
    return {key: table.rows(key) for key in read_table(folder / name)}


def read_everything(folder: Path) -> dict[str, dict[str, Any]]:
    """Tables and arrays, without the places of the arrays."""
    tables: dict[str, dict[str, Any]] = {
        name: dict(read_table(folder / name)) for name in TABLES if name not in SCPS
    }
    for name in SCPS:
        tables[name] = {key: array.tobytes() for key, array in read_arrays(folder, name).items()}
    return tables


def without_shards(folder: Path) -> dict[str, bytes | None]:
    """All that lies beside a data directory and in it, but the shards of an interrupted run."""
    everything = snapshot(folder.parent)
    return {name: found for name, found in everything.items() if "shards.partial" not in name}


def failing(function: Callable, call: int, error: type[BaseException]) -> Callable:
    """`function`, which raises at its `call`-th call in this process."""
    calls = itertools.count(1)

    @functools.wraps(function)
    def call_or_fail(*arguments: Any, **options: Any) -> Any:
        if next(calls) == call:
            raise error("injected")
        return function(*arguments, **options)

    return call_or_fail
