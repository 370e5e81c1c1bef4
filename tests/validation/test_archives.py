"""Every damage of an ark is refused in one line: scp file, its line, remedy."""

import re
from collections.abc import Callable
from pathlib import Path

import kaldi_native_io
import numpy as np
import pytest

from deep_speaker.kaldi.archives import ArchiveTable, ArchiveWriter
from deep_speaker.kaldi.tables import read_table, write_table
from support.validated_folders import Damage, validate


def rewrite(change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    """A damage of the second object of an scp file: change gives what stands there instead."""

    def apply(scp: Path) -> None:
        key = list(read_table(scp))[1]
        with ArchiveWriter(scp.with_suffix(".other")) as writer:
            writer.write(key, change(ArchiveTable(scp).rows(key).copy()))
        write_table(scp, read_table(scp) | writer.scp)

    return apply


def set_first(value: float) -> Damage:
    def change(array: np.ndarray) -> np.ndarray:
        array.flat[0] = value
        return array

    return rewrite(change)


def truncate(scp: Path) -> None:
    """Cut the last byte of the second object's ark off; the file is whole up to there."""
    rewrite(lambda array: array)(scp)
    other = scp.with_suffix(".other")
    other.write_bytes(other.read_bytes()[:-1])


def compressed_nan(scp: Path) -> None:
    """2-byte compression from a minimum that is not a number."""
    path, offset = list(read_table(scp).values())[1].rsplit(":", 1)
    data = bytearray(Path(path).read_bytes())
    data[int(offset) + 6 : int(offset) + 10] = np.float32(np.nan).tobytes()
    Path(path).write_bytes(data)


def add(ending: str) -> Damage:
    """A damage of the second entry: more at its end."""

    def apply(scp: Path) -> None:
        key, entry = list(read_table(scp).items())[1]
        write_table(scp, read_table(scp) | {key: entry + ending})

    return apply


integer = rewrite(lambda a: a[:, 0].astype(np.int32))
# Name, damage of its second object, words of the message.
OF_ARKS: list[tuple[str, Damage, str]] = [
    ("plain/test/feats.scp", set_first(np.nan), "NaN .*stage 1"),
    ("plain/test/feats.scp", set_first(-np.inf), "NaN .*stage 1"),
    ("data/test/feats.scp", compressed_nan, "NaN .*stage 1"),
    ("data/test/feats.scp", integer, "integer vector.*float32"),
    ("data/test/feats.scp", truncate, r"damaged archive.* \d+: .*stage 1"),
    ("data/test/feats.scp", add("[0:9]"), "utt2num_frames .*stage 1"),
    ("data/test/feats.scp", add("[0:99]"), "no range .*stage 1"),
    ("data/test/feats.scp", add("[:,0:62]"), "63 columns, .*64: .*stage 1"),
    ("data/test/feats.scp", add(" |"), "a command, .*copy-feats[^:]*scp:[^:]*ark,scp:[^:]*$"),
    ("data/test/feats.scp", rewrite(lambda a: a[:-1]), "utt2num_frames .*stage 1"),
    ("data/test/feats.scp", rewrite(lambda a: a[:, 1:]), "63 columns, .*64: .*stage 1"),
    ("data/test/vad.scp", rewrite(lambda a: a[:-1]), r"\d+ frames, .*stage 1"),
    ("data/test/vad.scp", rewrite(lambda a: a.astype(np.int32)), "integer vector.*float32"),
    ("data/test/vad.scp", set_first(0.5), "0 and 1: .*stage 1"),
    ("data/test/vad.scp", set_first(np.nan), "0 and 1: .*stage 1"),
    ("data/test/vad.scp", truncate, "damaged archive.*stage 1"),
    ("data/test/utt_cmvn.scp", set_first(np.inf), "NaN .*stage 1"),
    ("data/test/utt_cmvn.scp", rewrite(lambda a: a[:1]), "1 x 65 .*2 x 65.*stage 1"),
    ("x/xvector.scp", set_first(np.nan), "NaN .*stage 4"),
    ("x/xvector.scp", rewrite(lambda a: 0 * a), "zeros .*stage 4"),
    ("x/xvector.scp", rewrite(lambda a: a[1:]), "7 dimensions, .*8: .*stage 4"),
    ("x/xvector.scp", rewrite(lambda a: a.astype(np.int32)), "integer vector.*float32"),
    ("x/xvector.scp", rewrite(lambda a: a[None]), "float32 matrix, .*float32 vector"),
    ("x/spk_xvector.scp", rewrite(lambda a: a[1:]), "7 dimensions, .*8: .*stage 4"),
    ("x/spk_xvector.scp", set_first(np.nan), "NaN .*stage 4"),
    ("x/xvector_crops.scp", rewrite(lambda a: a[:, 1:]), "7 columns, .*8: .*stage 4"),
    ("x/xvector_crops.scp", rewrite(lambda a: a[0]), "float32 vector, .*float32 matrix"),
    ("x/xvector_crops.scp", set_first(np.nan), "NaN .*stage 4"),
]


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    OF_ARKS,
    ids=[f"{name} {number}" for number, (name, *_) in enumerate(OF_ARKS)],
)
def test_a_damaged_ark_is_named_by_the_line_that_names_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, damage: Damage, words: str
) -> None:
    damage(folder / name)
    place = re.escape(str(folder / name))
    with pytest.raises(ValueError, match=rf"^{place}, line 2: 'spk\d[^\n]*{words}"):
        validate(monkeypatch, folder / Path(name).parent)


@pytest.mark.parametrize("method", ["kSpeechFeature", "kTwoByteAuto", "kOneByteAuto"])
def test_features_as_kaldi_compresses_them_are_accepted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    scp = folder / "data/test/feats.scp"
    table, number = ArchiveTable(scp), getattr(kaldi_native_io.CompressionMethod, method)
    arrays = {key: table.rows(key) for key in table}
    with kaldi_native_io.CompressedMatrixWriter(f"ark,scp:{folder}/k.ark,{scp}") as writer:
        for key, array in arrays.items():
            writer.write(key, array, number)
    validate(monkeypatch, folder / "data/test")


def test_double_arrays_are_accepted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "data/test/feats.scp",
        "data/test/vad.scp",
        "x/xvector.scp",
        "x/xvector_crops.scp",
    ):
        rewrite(lambda array: array.astype(np.float64))(folder / name)
    validate(monkeypatch, folder / "data/test", folder / "x")


def test_parts_of_utterances_are_accepted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As subsegment_data_dir.sh leaves them: ranges, and the numbers of frames that they leave."""
    data_dir = folder / "data/test"
    for name in ("feats.scp", "vad.scp"):
        entries = read_table(data_dir / name)
        write_table(data_dir / name, {key: f"{entry}[2:11]" for key, entry in entries.items()})
    write_table(data_dir / "utt2num_frames", dict.fromkeys(entries, 10))
    write_table(data_dir / "utt2dur", dict.fromkeys(entries, 0.1))
    validate(monkeypatch, data_dir)
