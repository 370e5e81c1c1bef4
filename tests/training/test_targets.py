"""The targets of distillation: which embedding of a teacher a section learns."""

from pathlib import Path

import numpy as np
import pytest

from deep_speaker.config import Experiment
from deep_speaker.embeddings.piece_vectors import PieceVectors
from deep_speaker.features.source import FeatureSource, Section
from deep_speaker.kaldi.tables import read_table, write_table
from deep_speaker.training.targets import Targets
from support.kaldi_checks import read_by_kaldiio
from support.teachers import make_student, write_targets
from support.tiny_data import make_frames, write_features

STUDENT = make_student()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two utterances of each of three speakers, and a copy of one."""
    frames = make_frames(3, 2)
    copied = frames | {"s01-0-noise": frames["s01-0"] + 1}
    folder = write_features(tmp_path_factory.mktemp("data") / "train", copied, STUDENT)
    write_table(folder / "utt2uniq", {key: key.removesuffix("-noise") for key in copied})
    return folder


@pytest.fixture(scope="module")
def folder(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_targets(tmp_path_factory.mktemp("exp") / "teacher", data_dir, STUDENT)


def open_targets(
    data_dir: Path, *folders: Path, student: Experiment = STUDENT
) -> tuple[Targets, FeatureSource]:
    source = FeatureSource(data_dir, student)
    assert student.distillation is not None
    return Targets(folders, source, student.distillation), source


def test_a_section_learns_the_embedding_of_the_piece_it_lies_in(
    data_dir: Path, folder: Path
) -> None:
    targets, _ = open_targets(data_dir, folder)
    vectors = read_by_kaldiio(folder / "xvector.scp")
    for utterance in ("s00-0", "s02-1"):
        num_frames = int(read_table(data_dir / "utt2num_frames")[utterance])
        pieces = targets.pieces(utterance)
        assert [piece.start for piece in pieces[1:]] == [piece.stop for piece in pieces[:-1]]
        assert (pieces[0].start, pieces[-1].stop) == (0, num_frames)
        assert len(pieces) == round(num_frames / 30)
        for _, start, stop in pieces:
            expected = pytest.approx(vectors[f"{utterance}-{start:06}-{stop:06}"], abs=1e-6)
            for inside in ((start, stop), (start, start + 5), (stop - 5, stop)):
                assert targets.of(Section(utterance, *inside)) == expected


def test_a_section_of_several_pieces_learns_their_mean_by_frames(
    data_dir: Path, folder: Path
) -> None:
    targets, _ = open_targets(data_dir, folder)
    first, second, third = targets.pieces("s00-1")[:3]
    section = Section("s00-1", first.stop - 4, third.start + 7)
    mean = 4 * targets.of(first) + second.num_frames * targets.of(second) + 7 * targets.of(third)
    assert targets.of(section) == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


def test_a_copy_learns_what_its_original_or_itself_sounds_like(
    data_dir: Path, tmp_path: Path
) -> None:
    for hears in ("originals", "copies"):
        student = make_student({"teacher_hears": hears})
        folder = write_targets(tmp_path / hears, data_dir, student)
        targets, _ = open_targets(data_dir, folder, student=student)
        vectors = read_by_kaldiio(folder / "xvector.scp")
        piece = targets.pieces("s01-0")[1]
        heard = "s01-0" if hears == "originals" else "s01-0-noise"
        vector = np.random.default_rng(0).normal(0, 1, 8)
        key = f"{heard}-{piece.start:06}-{piece.stop:06}"
        PieceVectors(folder).add({key: vector}, {key: "changed"})
        targets, _ = open_targets(data_dir, folder, student=student)
        found = targets.of(piece._replace(utterance="s01-0-noise"))
        assert found == pytest.approx(vector / np.linalg.norm(vector), abs=1e-6)
        if hears == "copies":
            original = vectors[f"s01-0-{piece.start:06}-{piece.stop:06}"]
            assert targets.of(piece) == pytest.approx(original, abs=1e-6)


def test_the_cosine_of_two_teachers_is_the_mean_of_theirs(
    data_dir: Path, folder: Path, tmp_path: Path
) -> None:
    second = write_targets(tmp_path / "second", data_dir, STUDENT, dimension=5)
    both, _ = open_targets(data_dir, folder, second)
    alone = [open_targets(data_dir, each)[0] for each in (folder, second)]
    assert [each.dimension for each in (both, *alone)] == [13, 8, 5]
    a, b = both.pieces("s00-0")[0], both.pieces("s02-1")[1]
    cosines = [float(each.of(a) @ each.of(b)) for each in (both, *alone)]
    assert cosines[0] == pytest.approx(np.mean(cosines[1:]), abs=1e-6)


def test_missing_pieces_and_teachers_are_told(data_dir: Path, folder: Path) -> None:
    with pytest.raises(ValueError, match=r"--teacher"):
        open_targets(data_dir)
    other = make_student({"teacher_frames": 20})
    with pytest.raises(ValueError, match=r"/teacher: \d+ of \d+ pieces are missing.*run stage 2"):
        open_targets(data_dir, folder, student=other)
