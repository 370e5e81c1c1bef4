"""Archives: Kaldi's own code and kaldiio read what is written, and damage is one clear error."""

import itertools
import mmap
from pathlib import Path

import kaldi_native_io
import kaldiio
import numpy as np
import pytest

from deep_speaker.kaldi.archives import ArchiveTable, ArchiveWriter, write_scp, write_vectors
from deep_speaker.kaldi.tables import read_table

RANDOM = np.random.default_rng(0)
EXACT: dict[str, np.ndarray] = {
    "float_matrix": RANDOM.normal(size=(7, 5)).astype(np.float32),
    "double_matrix": RANDOM.normal(size=(2, 65)),
    "float_vector": RANDOM.normal(size=9).astype(np.float32),
    "double_vector": RANDOM.normal(size=4),
    "one_row": RANDOM.normal(size=(1, 3)).astype(np.float32),
    "one_number": np.array([0.1], dtype=np.float32),
    "not_contiguous": RANDOM.normal(size=(8, 6)).astype(np.float32)[::2, ::-1].T,
}
COMPRESSED: dict[str, np.ndarray] = {
    "features": RANDOM.normal(10, 4, size=(300, 64)).astype(np.float32),
    "all_alike": np.full((3, 4), -15.942385, dtype=np.float32),
    "one_frame": RANDOM.normal(size=(1, 64)).astype(np.float32),
    "wide_range": np.array([[-15.9, 0, 26], [1e-3, 2e-3, 3e-3]], dtype=np.float32),
}


def write(folder: Path, arrays: dict[str, np.ndarray], compress: bool = False) -> ArchiveTable:
    with ArchiveWriter(folder / "a.ark", compress=compress) as writer:
        for key, array in arrays.items():
            writer.write(key, array)
    write_scp(folder / "a.scp", writer.scp)
    return ArchiveTable(folder / "a.scp")


def read_by_kaldi(entry: str, array: np.ndarray) -> np.ndarray:
    number = "Double" if array.dtype == np.float64 else "Float"
    kind = "Matrix" if array.ndim == 2 else "Vector"
    return getattr(kaldi_native_io, number + kind).read(entry).numpy()


@pytest.mark.parametrize("key", EXACT)
def test_every_kind_is_read_back_exactly_by_all(tmp_path: Path, key: str) -> None:
    array = EXACT[key]
    table = write(tmp_path, {"before-é": array[:1], key: array, "after": array})
    read = table.rows(key)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)
    np.testing.assert_array_equal(kaldiio.load_scp(str(tmp_path / "a.scp"))[key], array)
    entry = read_table(tmp_path / "a.scp")[key]
    np.testing.assert_array_equal(read_by_kaldi(entry, array), array)


@pytest.mark.parametrize("key", COMPRESSED)
def test_two_byte_compression_is_within_half_a_step_and_read_alike_by_all(
    tmp_path: Path, key: str
) -> None:
    array = COMPRESSED[key]
    table = write(tmp_path, {"before": EXACT["float_matrix"], key: array}, compress=True)
    read = table.rows(key)
    assert read.dtype == np.float32
    step = np.ptp(array) / 65535
    rounding = 4 * np.spacing(np.abs(array).max())
    np.testing.assert_allclose(read, array, rtol=0, atol=step / 2 + rounding)
    np.testing.assert_allclose(
        kaldiio.load_scp(str(tmp_path / "a.scp"))[key], read, rtol=0, atol=rounding
    )
    entry = read_table(tmp_path / "a.scp")[key]
    np.testing.assert_allclose(read_by_kaldi(entry, array), read, rtol=0, atol=rounding)


def test_compression_halves_the_archive(tmp_path: Path) -> None:
    array = COMPRESSED["features"]
    sizes = []
    for compress in (False, True):
        write(tmp_path, {"key": array}, compress=compress)
        sizes.append((tmp_path / "a.ark").stat().st_size)
    assert sizes[1] / sizes[0] == pytest.approx(0.5, abs=0.001)


def test_kaldi_reads_the_whole_archive_in_sequence(tmp_path: Path) -> None:
    arrays = {f"spk-{i}": RANDOM.normal(size=(i + 1, 3)).astype(np.float32) for i in range(20)}
    write(tmp_path, arrays)
    with kaldi_native_io.SequentialFloatMatrixReader(f"ark:{tmp_path}/a.ark") as reader:
        read = {key: np.array(array) for key, array in reader}
    assert list(read) == list(arrays)
    for key, array in arrays.items():
        np.testing.assert_array_equal(read[key], array)
    with kaldi_native_io.RandomAccessFloatMatrixReader(f"scp:{tmp_path}/a.scp") as random_reader:
        np.testing.assert_array_equal(random_reader["spk-7"], arrays["spk-7"])


@pytest.mark.parametrize("compress", [False, True])
def test_rows_are_slices_of_the_whole(tmp_path: Path, compress: bool) -> None:
    arrays = {key: EXACT[key] for key in ("float_matrix", "double_matrix")}
    if not compress:
        arrays |= {key: EXACT[key] for key in ("float_vector", "double_vector")}
    table = write(tmp_path, arrays, compress)
    for key, array in arrays.items():
        whole = table.rows(key)
        for start, stop in itertools.product(range(len(array) + 1), [None, *range(12)]):
            if stop is None or stop >= start:
                part = table.rows(key, start, stop)
                assert part.shape == whole[start:stop].shape
                np.testing.assert_array_equal(part, whole[start:stop])


def test_a_table_checks_the_keys_it_shall_serve(tmp_path: Path) -> None:
    write(tmp_path, {"a": EXACT["float_vector"], "b": EXACT["float_vector"]})
    assert ArchiveTable(tmp_path / "a.scp", keys=["b"]).rows("b").shape == (9,)
    with pytest.raises(ValueError, match=r"/a\.scp: 2 .*'c'$"):
        ArchiveTable(tmp_path / "a.scp", keys=["a", "c", "d"])


def test_tables_are_sorted_and_name_the_final_place(tmp_path: Path) -> None:
    vectors = {key: RANDOM.normal(size=3) for key in ("b-2", "a", "b-10", "é")}
    partial, final = tmp_path / "out.partial", tmp_path / "out"
    partial.mkdir()
    write_vectors(partial / "xvector", final / "xvector", vectors)
    partial.rename(final)
    table = ArchiveTable(final / "xvector.scp")
    assert list(read_table(final / "xvector.scp")) == ["a", "b-10", "b-2", "é"]
    for key, vector in vectors.items():
        assert table.rows(key).dtype == np.float32
        np.testing.assert_array_equal(table.rows(key), vector.astype(np.float32))


@pytest.mark.parametrize(
    ("key", "compress"),
    [("float_matrix", False), ("float_matrix", True), ("double_vector", False)],
)
def test_an_archive_cut_anywhere_is_one_clear_error(
    tmp_path: Path, key: str, compress: bool
) -> None:
    write(tmp_path, {"key": EXACT[key]}, compress)
    whole = (tmp_path / "a.ark").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "a.ark").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a\.(ark|scp)") as caught:
            ArchiveTable(tmp_path / "a.scp").rows("key")
        assert "\n" not in str(caught.value)


def test_a_wrong_offset_is_one_clear_error(tmp_path: Path) -> None:
    table = write(tmp_path, {"key": EXACT["float_matrix"]})
    size = (tmp_path / "a.ark").stat().st_size
    entry = (tmp_path / "a.scp").read_text().split()[1]
    offset = int(entry.rpartition(":")[2])
    assert table.rows("key").shape == (7, 5)
    for wrong in {0, 1, offset - 1, offset + 1, offset + 15, size - 1, size, size + 100}:
        write_scp(tmp_path / "a.scp", {"key": f"{tmp_path}/a.ark:{wrong}"})
        with pytest.raises(ValueError, match=rf"/a\.ark:{wrong} \(key\): "):
            ArchiveTable(tmp_path / "a.scp").rows("key")


@pytest.mark.parametrize("place", ["/nowhere/a.ark:5", "a.ark", "/tmp:5", "/nowhere/a.ark:5[0:9]"])
def test_an_entry_that_leads_nowhere_is_one_clear_error(tmp_path: Path, place: str) -> None:
    write_scp(tmp_path / "a.scp", {"key": place})
    with pytest.raises(ValueError, match=r"/a\.scp: "):
        ArchiveTable(tmp_path / "a.scp").rows("key")


def test_kinds_not_read_here_are_named(tmp_path: Path) -> None:
    table = write(tmp_path, {"key": np.arange(3, dtype=np.int32)})
    with pytest.raises(ValueError, match=r"/a\.ark:4 \(key\): "):
        table.rows("key")
    data = bytearray((tmp_path / "a.ark").read_bytes())
    data[4:10] = b"\0BSM \4"  # a sparse matrix
    (tmp_path / "a.ark").write_bytes(data)
    with pytest.raises(ValueError, match="'SM '"):
        ArchiveTable(tmp_path / "a.scp").rows("key")


def test_archives_written_by_kaldi_are_read(tmp_path: Path) -> None:
    for kind, key in (("FloatMatrix", "float_matrix"), ("DoubleVector", "double_vector")):
        writer = getattr(kaldi_native_io, f"{kind}Writer")
        with writer(f"ark,scp:{tmp_path}/k.ark,{tmp_path}/k.scp") as kaldi:
            kaldi.write("first", EXACT[key])
            kaldi.write("second", EXACT[key])
        np.testing.assert_array_equal(ArchiveTable(tmp_path / "k.scp").rows("second"), EXACT[key])


def test_a_chunk_takes_only_its_bytes(tmp_path: Path) -> None:
    """A chunk is a view into the mapped file; nothing of it is copied."""
    table = write(tmp_path, {"key": EXACT["float_matrix"]})
    base: object = table.rows("key", 2, 4)
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(getattr(base, "obj", base), mmap.mmap)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_whoever_reads_what_is_no_number_first_names_it(tmp_path: Path, value: float) -> None:
    """With the stage that made the table; the rows before it are read."""
    broken = EXACT["float_matrix"].copy()
    broken[5, 3] = value
    write(tmp_path, {"good": EXACT["float_matrix"], "bad": broken})
    for name, stage in (("feats", 1), ("xvector", 4)):
        (tmp_path / "a.scp").rename(tmp_path / f"{name}.scp")
        table = ArchiveTable(tmp_path / f"{name}.scp")
        table.rows("good")
        assert len(table.rows("bad", 0, 5)) == 5
        told = rf"{name}\.scp: 'bad' has values .* \(NaN or infinite\): run stage {stage} anew"
        with pytest.raises(ValueError, match=told):
            table.rows("bad")
        (tmp_path / f"{name}.scp").rename(tmp_path / "a.scp")
