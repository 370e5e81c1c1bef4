"""After a power cut at any moment, no final name holds less than all."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deep_speaker.corpora.manifests import write_manifests
from deep_speaker.embeddings.piece_vectors import PieceVectors
from deep_speaker.embeddings.xvectors import write_xvectors
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.tables import write_table
from deep_speaker.networks.checkpoints import save_checkpoint
from deep_speaker.published.model_folder import write_model_folder
from deep_speaker.system.files import (
    replace_directory,
    replacing_directory,
    replacing_file,
    replacing_files,
    replacing_path,
)
from deep_speaker.voices.speaker_files import Speaker, write_speaker
from deep_speaker.voices.vector_files import WRITERS
from support.model_folders import make_trained
from support.power_cuts import watched_disk
from support.speech import EXPERIMENT, make_utterances
from support.stage_1_folders import write_test_set

VECTORS = {key: np.ones(4, np.float32) for key in ("a-1", "b-1")}


def write_file(folder: Path) -> None:
    with replacing_file(folder / "file") as file:
        file.write("all of it\n" * 1000)


def write_together(folder: Path) -> None:
    with replacing_files(folder / "one", folder / "two") as files:
        for file in files:
            file.write("all of it\n")


def write_by_path(folder: Path) -> None:
    with replacing_path(folder / "file.gz", suffix=".gz") as partial:
        partial.write_text("all of it\n")


def write_folder(folder: Path) -> None:
    for _ in range(2):
        with replacing_directory(folder / "new") as partial:
            (partial / "deep").mkdir()
            (partial / "deep/file").write_text("all of it\n")
            (partial / "link").symlink_to("nowhere")


def write_unfinished(folder: Path) -> None:
    (folder / "phase.partial").mkdir()
    (folder / "phase.partial/last.pt").write_text("all of it\n")
    replace_directory(folder / "phase", folder / "phase.partial")


def write_pieces(folder: Path) -> None:
    vectors = PieceVectors(folder / "pieces")
    for _ in range(2):
        vectors.add(VECTORS, dict.fromkeys(VECTORS, "x"))


WRITTEN: list[Callable[[Path], None]] = [
    write_file,
    write_together,
    write_by_path,
    write_folder,
    write_unfinished,
    write_pieces,
    lambda folder: write_table(folder / "table", {"a": 1}),
    lambda folder: write_manifests(folder / "set", make_utterances(folder / "audio", "s", 2, 2)),
    lambda folder: write_xvectors(folder / "x", VECTORS, {"a-1": "a", "b-1": "b"}, ["a"]),
    lambda folder: save_checkpoint(folder / "best.pt", make_trained()),
    lambda folder: write_model_folder(folder / "m", make_trained(), "float16"),
    lambda folder: write_speaker(folder, Speaker("Ana", np.ones((1, 4)), ["a.wav"], "id", "m")),
    *(lambda folder, end=end: WRITERS[end](folder / f"v{end}", VECTORS) for end in WRITERS),
]


@pytest.mark.parametrize("write", WRITTEN)
def test_what_takes_its_name_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    with watched_disk(monkeypatch) as disk:
        write(tmp_path)
    assert disk.renamed
    assert disk.all_losses() == []
    assert not list(tmp_path.rglob("*.partial*"))


def test_stage_1_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_test_set(tmp_path / "data") / "test"
    with watched_disk(monkeypatch) as disk:
        compute_data_dir(folder, EXPERIMENT, 2)
    names = [path.name for path in disk.renamed]
    assert names.index("fbank") < names.index("utt2num_frames") < names.index("feats.scp")
    assert disk.all_losses() == []


def test_the_disk_of_these_tests_finds_what_is_not_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watched_disk(monkeypatch) as disk:
        (tmp_path / "a").write_text("a")
        (tmp_path / "a").replace(tmp_path / "b")
    assert disk.all_losses() == [
        f"{tmp_path}/a is not flushed, and becomes a part of {tmp_path}/b",
        f"the name {tmp_path}/b is not flushed",
    ]
