"""Archives of VoxCeleb, whole or in parts: unpacked, or refused and kept."""

import hashlib
import logging
from contextlib import suppress
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest

import download_voxceleb
from support.archive_server import ALL_MD5, TEST, Server, make_zip
from support.preparation import run_main
from support.speech import snapshot


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> None:
    run_main(monkeypatch, download_voxceleb, folder, *words)


def test_damaged_or_missing_parts_are_refused_and_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "d"
    run(monkeypatch, folder, "--download", "--url", server.url, "--archives", "vox1_dev_wav")
    (folder / "vox1_dev_wav_partab").rename(tmp_path / "aside")
    before = snapshot(folder)
    with pytest.raises(ValueError, match=f"^{folder}: vox1_dev_wav_partab .*--download"):
        run(monkeypatch, folder, "--extract")
    assert snapshot(folder) == before
    (folder / "vox1_dev_wav_partab").write_bytes(b"damaged")
    before = snapshot(folder)
    with pytest.raises(ValueError, match=rf"^vox1_dev_wav\.zip: .*{ALL_MD5['vox1_dev_wav.zip']}"):
        run(monkeypatch, folder, "--extract")
    assert snapshot(folder) == before
    with pytest.raises(ValueError, match=f"^{folder}: .*vox2_dev_aac, vox2_test_aac .*--download"):
        run(monkeypatch, folder, "--extract", "--archives", "vox2_dev_aac", "vox2_test_aac")


@pytest.mark.usefixtures("server")
def test_an_archive_put_there_by_hand_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "vox1_test_wav.zip"
    path.write_bytes(make_zip(["wav/id10270/x6uYqmx31kE/00002.wav"]))  # whole, but another
    before = snapshot(tmp_path)
    words = ["--extract", "--archives", "vox1_test_wav"]
    with pytest.raises(
        ValueError,
        match=rf"^vox1_test_wav\.zip: .*{ALL_MD5[path.name]}: .*{path} .*{tmp_path}/vox1_test_wav ",
    ):
        run(monkeypatch, tmp_path, *words)
    assert snapshot(tmp_path) == before
    path.write_bytes(TEST)
    run(monkeypatch, tmp_path, *words)
    run(monkeypatch, tmp_path, *words)  # it is there: nothing to check
    assert sum("MD5" in line and str(path) in line for line in caplog.messages) == 2
    assert (tmp_path / "vox1_test_wav/wav/id10270/x6uYqmx31kE/00001.wav").is_file()


def damage(content: bytes, offset: int, new: bytes) -> bytes:
    return content[:offset] + new + content[offset + len(new) :]


DIRECTORY = b"PK\x01\x02"
STORED, DEFLATED = (make_zip(["a.wav"], kind) for kind in (ZIP_STORED, ZIP_DEFLATED))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no zip", "File is not a zip file"),
        (damage(TEST, 100, b"xx"), "Bad CRC-32 for file"),
        # 30 bytes of header and 5 of the name come before the data.
        (damage(DEFLATED, 35, b"\xff\xff"), "Error -3 while decompressing data"),
        (
            damage(STORED, STORED.index(DIRECTORY) + 20, b"\xff\xff\xff\0" * 2),
            "(EOFError|Overlapped entries)",  # the latter where Python is patched for zip bombs
        ),
        (
            damage(DEFLATED, DEFLATED.index(DIRECTORY) + 10, b"\x63"),
            "That compression method is not supported",
        ),
    ],
)
@pytest.mark.usefixtures("server")
def test_a_damaged_zip_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, told: str
) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "vox1_test_wav.zip").write_bytes(content)
    md5 = hashlib.md5(content).hexdigest()
    (tmp_path / "md5sums").write_text(f"{md5}  vox1_test_wav.zip\n")
    with pytest.raises(ValueError, match=rf"/vox1_test_wav\.zip: .*\({told}"):
        run(monkeypatch, folder, "--extract", "--archives", "vox1_test_wav")
    assert [path.name for path in folder.iterdir()] == ["vox1_test_wav.zip"]


def test_nothing_is_unpacked_outside_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By members with `..`, absolute names, and a link that another member is written through."""
    link = ZipInfo("out")
    link.external_attr = 0o120777 << 16
    path = tmp_path / "d/vox1_test_wav.zip"
    path.parent.mkdir()
    with ZipFile(path, "w") as archive:
        archive.writestr(link, "..")
        for name in ("../evil.wav", "wav/../../../evil.wav", f"{tmp_path}/evil.wav", "out/evil"):
            archive.writestr(ZipInfo(name), b"evil")
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(download_voxceleb, "read_md5sums", lambda _: {path.name: md5})
    words = ["--extract", "--archives", "vox1_test_wav"]
    with suppress(ValueError, OSError):  # it may also be refused
        run(monkeypatch, path.parent, *words)
    assert {item.name for item in tmp_path.iterdir()} == {"d"}
    assert {item.name for item in path.parent.iterdir()} <= {path.name, "vox1_test_wav"}
    assert not any(item.is_symlink() for item in tmp_path.rglob("*"))
