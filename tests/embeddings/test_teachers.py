"""A teacher's embeddings of pieces: of which samples, by which teacher, and when they are kept."""

import logging
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import embed_by_teacher
from deep_speaker.embeddings import piece_vectors, teachers
from deep_speaker.embeddings.extraction import Extractor, extract
from deep_speaker.embeddings.piece_vectors import PieceVectors
from deep_speaker.embeddings.teachers import embed_training_set, open_teacher
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.audio import load_audio
from deep_speaker.kaldi.tables import read_table, write_table
from support.kaldi_checks import read_by_kaldiio
from support.speech import make_speech, write_audio
from support.teachers import make_student, write_recordings, write_teacher
from support.tiny_data import make_experiment, write_experiment

CPU = torch.device("cpu")
STUDENT = make_student()
SECONDS = [1.5, 2.3, 0.9, 1.1]
# A front end, a rate, a voice activity and a normalisation of its own.
TEACHER = make_experiment(
    features={"front_end": "torchaudio", "num_mels": 16, "sampling_rate": 8000},
    voice_activity={"energy_threshold": 4},
    normalisation={"mean": "utterance", "scale": "utterance"},
    network={"embedding_dim": 6},
)


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Have no teacher of another test open."""
    open_teacher.cache_clear()


@pytest.fixture
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teachers, "in_processes", lambda device: False)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = write_recordings(tmp_path / "data", SECONDS)
    compute_data_dir(folder, STUDENT, 1)
    return folder


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    return write_teacher(tmp_path / "teacher.pt", TEACHER)


def embed(teacher: Path, data_dir: Path, student: object = STUDENT, jobs: int = 1) -> Path:
    output = data_dir.parent / "exp"
    return embed_training_set(teacher, data_dir, student, output, CPU, jobs, "float32")  # type: ignore[arg-type]


def piece_bounds(data_dir: Path) -> dict[str, tuple[str, int, int]]:
    """By hand: the utterance, first and last sample of each piece, at 16 kHz.

    Kaldi centres frame i, of 400 samples, on sample 160 i + 80.
    """
    bounds = {}
    for key, decisions in read_by_kaldiio(data_dir / "vad.scp").items():
        voiced = np.flatnonzero(decisions)
        count = max(1, round(len(voiced) / 30))
        edges = [len(voiced) * i // count for i in range(count + 1)]
        for start, stop in pairwise(edges):
            first, last = 160 * voiced[start] - 120, 160 * voiced[stop - 1] + 280
            bounds[f"{key}-{start:06}-{stop:06}"] = (key, max(0, int(first)), int(last))
    return bounds


@pytest.mark.usefixtures("no_processes")
def test_targets_are_the_teachers_own_embeddings_of_the_pieces_samples(
    data_dir: Path, teacher: Path, tmp_path: Path
) -> None:
    """Each piece as a recording of its own, through the teacher's stages 1 and 4."""
    vectors = read_by_kaldiio(embed(teacher, data_dir) / "xvector.scp")
    alone = tmp_path / "pieces"
    bounds = piece_bounds(data_dir)
    assert set(vectors) == set(bounds)
    assert len(bounds) > 2 * len(SECONDS)
    entries = read_table(data_dir / "wav.scp")
    for number, (utterance, first, last) in enumerate(bounds.values()):
        samples = load_audio(entries[utterance], 8000)[0][first // 2 : last // 2] / 32768
        write_audio(alone / f"audio/p{number:03}.wav", samples, 8000, "FLOAT")
    write_table(alone / "d/wav.scp", {p.stem: p for p in (alone / "audio").iterdir()})
    write_table(alone / "d/utt2spk", {p.stem: p.stem for p in (alone / "audio").iterdir()})
    write_table(alone / "d/spk2utt", {p.stem: p.stem for p in (alone / "audio").iterdir()})
    compute_data_dir(alone / "d", TEACHER, 1)
    extract({alone / "x": Extractor(teacher, alone / "d", TEACHER, CPU)}, 1)
    expected = np.stack(list(read_by_kaldiio(alone / "x/xvector.scp").values()))
    found = np.stack([vectors[key] for key in bounds])
    assert ((found * expected).sum(axis=1) > 0.9999).all()
    distances = np.linalg.norm(found[:, None] - expected, axis=2)
    to_others = distances[~np.eye(len(found), dtype=bool)]
    assert distances.diagonal().max() < 0.5 * to_others.min()


def test_any_number_of_processes_gives_the_same(data_dir: Path, teacher: Path) -> None:
    one = read_by_kaldiio(embed(teacher, data_dir) / "xvector.scp")
    for path in (data_dir.parent / "exp").rglob("*.scp"):
        path.unlink()
    two = read_by_kaldiio(embed(teacher, data_dir, jobs=2) / "xvector.scp")
    assert list(one) == list(two)
    assert all(np.array_equal(one[key], two[key]) for key in one)


@pytest.mark.usefixtures("no_processes")
def test_what_is_there_and_current_is_kept(
    data_dir: Path, teacher: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    folder = embed(teacher, data_dir)
    had, _, done = caplog.messages[-3:]
    assert had.endswith("of the pieces of 4 utterances it has those of 0")
    assert done.endswith("4 of 4 utterances embedded")
    assert (folder / "teacher").read_text() == f"{teacher}\n"
    before = read_by_kaldiio(folder / "xvector.scp")
    assert embed(teacher, data_dir) == folder
    assert caplog.messages[-1].endswith("of the pieces of 4 utterances it has those of 4")
    time.sleep(0.01)  # for another time of the file
    write_audio(data_dir.parent / "audio/s1-0.wav", make_speech(9, SECONDS[1]))
    open_teacher.cache_clear()
    assert embed(teacher, data_dir) == folder
    assert caplog.messages[-3].endswith("of the pieces of 4 utterances it has those of 3")
    after = read_by_kaldiio(folder / "xvector.scp")
    changed = {key for key in before if not np.array_equal(before[key], after[key])}
    assert changed == {key for key in before if key.startswith("s1-")}


def test_a_vector_whose_writing_was_stopped_does_not_pass_for_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where what it is made of changes, and changes back."""
    PieceVectors(tmp_path).add({"a": np.zeros(2), "b": np.zeros(2)}, {"a": "old", "b": "old"})
    write = piece_vectors.write_scp

    def stopped(path: Path, entries: dict[str, str]) -> None:
        write(path, entries)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(piece_vectors, "write_scp", stopped)
        PieceVectors(tmp_path).add({"a": np.ones(2)}, {"a": "new"})
    kept = PieceVectors(tmp_path)
    assert kept.has("b", "old")
    assert not kept.has("a", "old")
    assert not kept.has("a", "new")


@pytest.mark.usefixtures("no_processes")
def test_an_interrupted_run_goes_on(
    data_dir: Path, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teachers, "KEPT_TOGETHER", 1)
    whole = teachers.Teacher.__call__
    heard = []

    def interrupted(self: teachers.Teacher, job: teachers.Job) -> np.ndarray:
        heard.append(job.utterance)
        if len(heard) == 3:
            raise KeyboardInterrupt
        return whole(self, job)

    monkeypatch.setattr(teachers.Teacher, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        embed(teacher, data_dir)
    folder = embed(teacher, data_dir)
    assert heard == ["s0-0", "s1-0", "s2-0", "s2-0", "s3-0"]
    assert set(read_by_kaldiio(folder / "xvector.scp")) == set(piece_bounds(data_dir))


@pytest.mark.usefixtures("no_processes")
def test_students_share_a_folder_where_teacher_and_pieces_are_the_same(
    data_dir: Path, teacher: Path, tmp_path: Path
) -> None:
    folder = embed(teacher, data_dir)
    same = make_student(network={"embedding_dim": 5}, normalisation={"scale": 2})
    assert embed(teacher, data_dir, same) == folder
    longer = make_student({"teacher_frames": None})
    assert embed(teacher, data_dir, longer) == folder  # other pieces, beside those
    assert len(read_by_kaldiio(folder / "xvector.scp")) == len(piece_bounds(data_dir)) + 4
    others = {folder}
    for number, experiment in enumerate(
        [
            TEACHER.model_copy(update={"seed": 5}),  # other weights
            make_experiment(**TEACHER.model_dump() | {"normalisation": {"scale": 2}}),
        ]
    ):
        others.add(embed(write_teacher(tmp_path / f"{number}.pt", experiment), data_dir))
    assert len(others) == 3


@pytest.mark.usefixtures("no_processes")
def test_copies_are_heard_where_the_student_learns_them(data_dir: Path, teacher: Path) -> None:
    """Here an utterance stands for a copy of another one: of its speaker, and as long."""
    for name in ("wav.scp", "feats.scp", "vad.scp", "utt_cmvn.scp", "utt2num_frames"):
        table = read_table(data_dir / name)
        write_table(data_dir / name, table | {"s0-0-noise": table["s0-0"]})
    utt2spk = read_table(data_dir / "utt2spk") | {"s0-0-noise": "s0"}
    write_table(data_dir / "utt2spk", utt2spk)
    write_table(data_dir / "utt2uniq", {key: key.removesuffix("-noise") for key in utt2spk})
    for hears, copies in (("originals", False), ("copies", True)):
        folder = embed(teacher, data_dir, make_student({"teacher_hears": hears}))
        keys = read_table(folder / "xvector.scp")
        assert any(key.startswith("s0-0-noise") for key in keys) is copies


def test_a_piece_that_is_too_short_is_named(
    data_dir: Path, teacher: Path, no_processes: None
) -> None:
    with pytest.raises(ValueError, match=r"teacher\.pt .*'s0-0': too short: .*teacher_frames"):
        embed(teacher, data_dir, make_student({"teacher_frames": 1}))


def test_the_command_prints_a_folder_for_each_teacher(
    data_dir: Path,
    teacher: Path,
    tmp_path: Path,
    no_processes: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = write_experiment(tmp_path / "student.yaml", STUDENT)
    second = write_teacher(tmp_path / "second.pt", make_experiment())
    command = f"embed_by_teacher.py --config {config} --device cpu --nj 1 {data_dir} {tmp_path}/out"
    monkeypatch.setattr("sys.argv", [*command.split(), str(teacher), str(second)])
    embed_by_teacher.main()
    folders = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert len(folders) == 2
    sizes = [
        len(next(iter(read_by_kaldiio(folder / "xvector.scp").values()))) for folder in folders
    ]
    assert sizes == [6, 8]


def test_a_config_without_distillation_takes_no_teacher(data_dir: Path, teacher: Path) -> None:
    with pytest.raises(ValueError, match="the config has no distillation"):
        embed(teacher, data_dir, make_experiment())
