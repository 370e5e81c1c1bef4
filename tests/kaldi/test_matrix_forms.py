"""Kaldi's compressed matrices and ranges: bit for bit what its own code reads."""

import itertools
import struct
from collections.abc import Iterable
from pathlib import Path

import kaldi_native_io
import kaldiio
import numpy as np
import pytest

from deep_speaker.kaldi import archives
from deep_speaker.kaldi.archives import ArchiveTable, ArchiveWriter, write_scp
from deep_speaker.kaldi.tables import read_table, write_table

RANDOM = np.random.default_rng(0)
MATRICES: dict[str, np.ndarray] = {
    "features": RANDOM.normal(10, 4, size=(300, 64)),
    "negative": -np.abs(RANDOM.normal(3, 40, size=(50, 7))),
    "constant": np.full((30, 4), -15.942385),
    "a_constant_column": np.where([True, False, True], RANDOM.normal(size=(20, 3)), -2.5),
    "one_row": RANDOM.normal(size=(1, 64)),
    "four_rows": RANDOM.normal(size=(4, 3)),
    "nine_rows": RANDOM.normal(size=(9, 1)),
    "wide": np.array([[-15.9, 0, 26], [1e-3, 2e-3, 3e-3]] * 9),
    "tiny": RANDOM.normal(1e-6, 1e-7, size=(40, 5)),
}
MATRICES = {key: array.astype(np.float32) for key, array in MATRICES.items()}
METHODS = [
    ("kSpeechFeature", "CM "),
    ("kTwoByteAuto", "CM2"),
    ("kTwoByteSignedInteger", "CM2"),
    ("kOneByteAuto", "CM3"),
    ("kOneByteUnsignedInteger", "CM3"),
    ("kOneByteZeroOne", "CM3"),
]


def compress(folder: Path, method: str, arrays: dict[str, np.ndarray]) -> Path:
    """Arrays as Kaldi's copy-feats compresses them; the path of the scp file."""
    number = getattr(kaldi_native_io.CompressionMethod, method)
    specifier = f"ark,scp:{folder}/k.ark,{folder}/k.scp"
    with kaldi_native_io.CompressedMatrixWriter(specifier) as writer:
        for key, array in arrays.items():
            writer.write(key, array, number)
    return folder / "k.scp"


def read_by_kaldi(scp: Path, reader: type = kaldi_native_io.SequentialFloatMatrixReader) -> dict:
    with reader(f"scp:{scp}") as rows:
        return {key: np.array(value) for key, value in rows}


@pytest.mark.parametrize(("method", "token"), METHODS)
def test_compressed_matrices_are_read_bit_for_bit_as_kaldi_reads_them(
    tmp_path: Path, method: str, token: str
) -> None:
    scp = compress(tmp_path, method, MATRICES)
    assert f"\0B{token}".encode() in (tmp_path / "k.ark").read_bytes()
    table, by_kaldi, by_kaldiio = ArchiveTable(scp), read_by_kaldi(scp), kaldiio.load_scp(str(scp))
    for key in MATRICES:
        found = table.rows(key)
        assert found.dtype == np.float32
        assert found.shape == MATRICES[key].shape
        np.testing.assert_array_equal(found, by_kaldi[key])
        # kaldiio rounds otherwise than Kaldi.
        rounding = 4 * np.spacing(np.abs(found).max())
        if method == "kTwoByteSignedInteger":  # its smallest value is -32768
            rounding = np.spacing(np.float32(32768))
        np.testing.assert_allclose(by_kaldiio[key], found, rtol=0, atol=rounding)


def value_of_code(
    percentiles: Iterable[int], minimum: np.float32, value_range: np.float32, code: int
) -> np.float32:
    """One value of CM by Uint16ToFloat and CharToFloat of Kaldi's compressed-matrix.cc."""
    single = np.float32
    p0, p25, p75, p100 = (
        minimum + value_range * single(1.52590218966964e-05) * single(percentile)
        for percentile in percentiles
    )
    if code <= 64:
        return single(float(p0) + float((p25 - p0) * single(code)) * (1 / 64.0))
    if code <= 192:
        return single(float(p25) + float((p75 - p25) * single(code - 64)) * (1 / 128.0))
    return single(float(p75) + float((p100 - p75) * single(code - 192)) * (1 / 63.0))


def test_every_code_of_a_column_has_the_value_of_kaldi_s_formulas(tmp_path: Path) -> None:
    columns = [(0, 3, 60000, 65535), (17, 18, 19, 20), (5, 40000, 40001, 50000)]
    minimum, value_range = np.float32(-15.942385), np.float32(41.7)
    header = struct.pack("<3sffii", b"CM ", minimum, value_range, 256, len(columns))
    content = b"".join(np.array(column, "<u2").tobytes() for column in columns)
    codes = bytes(range(256)) * len(columns)
    (tmp_path / "a.ark").write_bytes(b"key \0B" + header + content + codes)
    write_scp(tmp_path / "a.scp", {"key": f"{tmp_path}/a.ark:4"})
    expected = [
        [value_of_code(column, minimum, value_range, code) for column in columns]
        for code in range(256)
    ]
    np.testing.assert_array_equal(ArchiveTable(tmp_path / "a.scp").rows("key"), expected)
    np.testing.assert_array_equal(read_by_kaldi(tmp_path / "a.scp")["key"], expected)


@pytest.mark.parametrize("method", ["kSpeechFeature", "kTwoByteAuto", "kOneByteAuto"])
def test_rows_of_compressed_matrices_are_slices_of_the_whole(tmp_path: Path, method: str) -> None:
    table = ArchiveTable(compress(tmp_path, method, MATRICES))
    for key in ("nine_rows", "four_rows", "a_constant_column"):
        whole = table.rows(key)
        for start, stop in itertools.combinations(range(len(whole) + 3), 2):
            np.testing.assert_array_equal(table.rows(key, start, stop), whole[start:stop])


RANGES = ["0:299", "0:0", "7:11", "290:301", ":", "0:9,3:10", "5:8,63:63", ":,1:62", "3:4,:"]


@pytest.mark.parametrize(
    "method", ["none", "double", "kSpeechFeature", "kTwoByteAuto", "kOneByteAuto"]
)
def test_ranges_are_those_of_kaldi(tmp_path: Path, method: str) -> None:
    """Inclusive, rows before columns, up to three rows past the end."""
    array = MATRICES["features"]
    if method in ("none", "double"):
        with ArchiveWriter(tmp_path / "k.ark") as writer:
            writer.write("features", array.astype(np.float64 if method == "double" else np.float32))
        entry = writer.scp["features"]
    else:
        entry = read_table(compress(tmp_path, method, {"features": array}))["features"]
    scp = tmp_path / "r.scp"
    write_table(scp, {f"r{i}": f"{entry}[{part}]" for i, part in enumerate(RANGES)})
    table, by_kaldi = ArchiveTable(scp), read_by_kaldi(scp)
    for key, expected in by_kaldi.items():
        np.testing.assert_array_equal(table.rows(key), expected)
        np.testing.assert_array_equal(table.rows(key, 1, 3), expected[1:3])
    assert table.rows("r2").shape == (5, 64)
    assert table.rows("r3").shape == (10, 64)  # cut at the end
    assert table.rows("r5").shape == (10, 8)


def test_ranges_of_vectors_are_those_of_kaldi(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "v.ark") as writer:
        writer.write("v", RANDOM.normal(size=20).astype(np.float32))
    parts = ["0:19", "3:7", "18:22", ":"]
    write_table(tmp_path / "r.scp", {p.replace(":", "-"): f"{writer.scp['v']}[{p}]" for p in parts})
    table = ArchiveTable(tmp_path / "r.scp")
    by_kaldi = read_by_kaldi(tmp_path / "r.scp", kaldi_native_io.SequentialFloatVectorReader)
    for key, expected in by_kaldi.items():
        np.testing.assert_array_equal(table.rows(key), expected)


@pytest.mark.parametrize(
    "part",
    ["0:303", "300:301", "5:4", "0:3,0:64", "0:3,4:3", "0:3,", "3", "-1:3", "0:3,0:3,0:3", "x", ""],
)
def test_a_range_that_is_not_there_is_one_clear_error(tmp_path: Path, part: str) -> None:
    entry = read_table(compress(tmp_path, "kSpeechFeature", MATRICES))["features"]
    write_table(tmp_path / "r.scp", {"key": f"{entry}[{part}]"})
    with pytest.raises(ValueError, match=r"/k\.ark:.* \(key\): .*range") as error:
        ArchiveTable(tmp_path / "r.scp").rows("key")
    assert "\n" not in str(error.value)


def test_a_range_of_columns_of_a_vector_is_refused(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "v.ark") as writer:
        writer.write("v", np.ones(5, np.float32))
    write_table(tmp_path / "r.scp", {"key": f"{writer.scp['v']}[0:3,0:0]"})
    with pytest.raises(ValueError, match="no range"):
        ArchiveTable(tmp_path / "r.scp").rows("key")


def test_a_file_of_one_matrix_needs_no_offset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And any number of such files may be read, though each is kept open for a while."""
    monkeypatch.setattr(archives, "MAX_MAPPED", 2)
    arrays = {f"m{i}": RANDOM.normal(size=(3, 2)).astype(np.float32) for i in range(5)}
    for key, array in arrays.items():
        kaldi_native_io.FloatMatrix(array).write(f"{tmp_path}/{key}.mat", binary=True)
    write_table(tmp_path / "m.scp", {key: f"{tmp_path}/{key}.mat" for key in arrays})
    write_table(tmp_path / "r.scp", {key: f"{tmp_path}/{key}.mat[1:2]" for key in arrays})
    whole, parts = ArchiveTable(tmp_path / "m.scp"), ArchiveTable(tmp_path / "r.scp")
    for key in [*arrays, *arrays]:
        np.testing.assert_array_equal(whole.rows(key), arrays[key])
        np.testing.assert_array_equal(parts.rows(key), arrays[key][1:])


def test_what_cannot_be_read_in_parts_is_named_with_its_remedy(tmp_path: Path) -> None:
    specifier = f"ark,t,scp:{tmp_path}/t.ark,{tmp_path}/t.scp"
    with kaldi_native_io.FloatMatrixWriter(specifier) as writer:
        writer.write("key", MATRICES["nine_rows"])
    (tmp_path / "z.ark.gz").write_bytes(b"\x1f\x8b\x08 and so on")
    for entry, told in (
        (read_table(tmp_path / "t.scp")["key"], "text archive: .*copy-feats"),
        (f"gunzip -c {tmp_path}/z.ark.gz |", "a command, .*copy-feats"),
        (f"gunzip -c {tmp_path}/z.ark.gz |[0:3]", "a command, .*copy-feats"),
        (f"{tmp_path}/z.ark.gz", "gzip: .*copy-feats"),
    ):
        write_table(tmp_path / "a.scp", {"key": entry})
        with pytest.raises(ValueError, match=rf"\(key\): .*{told}") as error:
            ArchiveTable(tmp_path / "a.scp").rows("key")
        assert "\n" not in str(error.value)
