"""VoxCeleb fetched from a server on this machine, unpacked, and converted by a real ffmpeg."""

import base64
import hashlib
import io
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import imageio_ffmpeg
import pytest

import download_voxceleb
from deep_speaker.kaldi.audio import read_info
from support.speech import make_speech, snapshot, write_audio
from voxceleb import downloads


def make_zip(names: list[str], compression: int = ZIP_STORED) -> bytes:
    archive = io.BytesIO()
    with ZipFile(archive, "w", compression) as file:
        for name in names:
            file.writestr(name, f"audio of {name}" * 50)
    return archive.getvalue()


DEV = make_zip(["wav/id10001/1zcIwhmdeo4/00001.wav", "wav/id10002/0_laIeN-Q44/00001.wav"])
TEST = make_zip(["wav/id10270/x6uYqmx31kE/00001.wav"])
FILES = {
    "vox1_dev_wav_partaa": DEV[:700],
    "vox1_dev_wav_partab": DEV[700:1500],
    "vox1_dev_wav_partac": DEV[1500:],
    "vox1_test_wav.zip": TEST,
}
ALL_MD5 = {
    name: hashlib.md5(content).hexdigest()
    for name, content in (FILES | {"vox1_dev_wav.zip": DEV}).items()
}
VOXCELEB1 = ("--archives", "vox1_dev_wav", "vox1_test_wav")


class Handler(BaseHTTPRequestHandler):
    """Serves `server.files` by the last part of a path, or by `file=`, also from an offset."""

    server: "Server"

    def do_GET(self) -> None:
        name = self.path.rpartition("=" if "=" in self.path else "/")[2]
        self.server.asked.append((name, self.headers["Range"]))
        if self.server.password and self.headers["Authorization"] != self.server.password:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="VoxCeleb"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if name not in self.server.files:
            self.send_error(404)
            return
        content = self.server.files[name]
        asked = self.headers["Range"] if self.server.knows_ranges else None
        offset = int((asked or "bytes=0-").split("=")[1].rstrip("-"))
        if offset >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if offset else 200)
        self.send_header("Content-Length", str(len(content) - offset))
        self.end_headers()
        served = content[offset:]
        if self.server.num_breaks:
            self.server.num_breaks -= 1
            served = served[:300]
        self.wfile.write(served)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Breaks off `num_breaks` answers after 300 bytes; asks for `password` if there is one."""

    files: dict[str, bytes]
    asked: list[tuple[str, str | None]]
    num_breaks = 0
    knows_ranges = True
    password = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of tiny archives, whose MD5 are known."""
    table = tmp_path / "md5sums"
    table.write_text("".join(f"{md5}  {name}\n" for name, md5 in ALL_MD5.items()))
    monkeypatch.setattr(download_voxceleb, "MD5SUMS", table)
    monkeypatch.setattr(downloads, "PAUSE", 0.001)
    for name in ("VOXCELEB_USER", "VOXCELEB_PASSWORD", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server(("127.0.0.1", 0), Handler) as served:
        served.files, served.asked = dict(FILES), []
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["download_voxceleb.py", str(folder), *words])
    download_voxceleb.main()


def names_of(asked: list[tuple[str, str | None]]) -> list[str]:
    return [name for name, _ in asked]


def test_the_table_of_md5_is_whole() -> None:
    table = downloads.read_md5sums(download_voxceleb.MD5SUMS)
    assert len(table) == len(set(table.values())) == 22
    assert all(len(md5) == 32 and set(md5) <= set("0123456789abcdef") for md5 in table.values())
    counts = [len(download_voxceleb.list_parts(name, table)) for name in download_voxceleb.ARCHIVES]
    assert counts == [4, 1, 8, 1]
    parts = [download_voxceleb.list_parts(name, table) for name in download_voxceleb.ARCHIVES]
    wholes = {f"{name}.zip" for name in download_voxceleb.ARCHIVES}
    texts = {name for name in download_voxceleb.LISTS if name.startswith(("veri", "list"))}
    assert table.keys() == wholes | texts | {name for names in parts for name in names}


def test_archives_are_fetched_joined_and_unpacked(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new" / "VoxCeleb"
    run(monkeypatch, folder, "--download", "--url", server.url, *VOXCELEB1)
    assert snapshot(folder) == FILES
    assert names_of(server.asked) == list(FILES)
    run(monkeypatch, folder, "--extract")
    name = "wav/id10002/0_laIeN-Q44/00001.wav"
    assert (folder / "vox1_dev_wav" / name).read_text() == f"audio of {name}" * 50
    assert (folder / "vox1_test_wav/wav/id10270/x6uYqmx31kE/00001.wav").is_file()
    assert {path.name for path in folder.iterdir()} == {
        "vox1_dev_wav", "vox1_dev_wav.zip", "vox1_test_wav", "vox1_test_wav.zip",
    }  # fmt: skip

    before = snapshot(folder)
    words = ["--download", "--extract", "--url", server.url, *VOXCELEB1]
    run(monkeypatch, folder, *words)
    assert snapshot(folder) == before
    assert len(server.asked) == len(FILES)


def test_a_stopped_download_goes_on_where_it_was(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.num_breaks = 2
    words = ["--download", "--url", server.url, "--archives", "vox1_dev_wav"]
    run(monkeypatch, tmp_path / "d", *words)
    first = "vox1_dev_wav_partaa"
    assert server.asked[:3] == [(first, None), (first, "bytes=300-"), (first, "bytes=600-")]
    assert (tmp_path / "d" / first).read_bytes() == FILES[first]

    (tmp_path / "d" / first).rename(tmp_path / "d" / f"{first}.partial")  # all but the renaming
    run(monkeypatch, tmp_path / "d", *words)
    assert (tmp_path / "d" / first).read_bytes() == FILES[first]


def test_a_server_without_ranges_sends_all_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.num_breaks, server.knows_ranges = 1, False
    run(monkeypatch, tmp_path / "d", "--download", "--url", server.url, *VOXCELEB1)
    assert server.asked[1] == ("vox1_dev_wav_partaa", "bytes=300-")
    assert snapshot(tmp_path / "d") == FILES


def test_a_server_that_keeps_breaking_off_is_one_clear_error(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.num_breaks = 1000
    server.files = {"vox1_test_wav.zip": b"x" * 5000}
    words = ["--download", "--url", server.url, "--archives", "vox1_test_wav"]
    with pytest.raises(ValueError, match=r"cannot be reached .*broke off after 1500 bytes\): try"):
        run(monkeypatch, tmp_path / "d", *words)
    assert len(server.asked) == downloads.NUM_ATTEMPTS
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["vox1_test_wav.zip.partial"]


def test_what_differs_from_its_md5_is_removed_and_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["vox1_dev_wav_partab"] = b"<html>please log in</html>"
    words = ["--download", "--url", server.url, *VOXCELEB1]
    with pytest.raises(
        ValueError, match=r"vox1_dev_wav_partab: damaged, its MD5 is .* fetch it aga"
    ):
        run(monkeypatch, tmp_path / "d", *words)
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["vox1_dev_wav_partaa"]
    server.files["vox1_dev_wav_partab"] = FILES["vox1_dev_wav_partab"]
    run(monkeypatch, tmp_path / "d", *words)
    assert snapshot(tmp_path / "d") == FILES


def test_the_password_comes_from_the_environment(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.password = "Basic " + base64.b64encode(b"anna:secret").decode()
    words = ["--download", "--url", server.url, "--archives", "vox1_test_wav"]
    with pytest.raises(ValueError, match=r"401 Unauthorized: .*VOXCELEB_USER and VOXCELEB_PASS"):
        run(monkeypatch, tmp_path / "d", *words)
    monkeypatch.setenv("VOXCELEB_USER", "anna")
    monkeypatch.setenv("VOXCELEB_PASSWORD", "guess")
    with pytest.raises(ValueError, match=r"401 Unauthorized: .*VOXCELEB_USER and VOXCELEB_PASS"):
        run(monkeypatch, tmp_path / "d", *words)
    monkeypatch.setenv("VOXCELEB_PASSWORD", "secret")
    run(monkeypatch, tmp_path / "d", *words)
    assert (tmp_path / "d/vox1_test_wav.zip").read_bytes() == TEST


def test_a_url_may_have_a_key_which_no_message_repeats(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    url = f"{server.url}/download?key=s3cr3t&file={{}}"
    run(monkeypatch, tmp_path / "d", "--download", "--url", url, "--archives", "vox1_test_wav")
    assert (tmp_path / "d/vox1_test_wav.zip").read_bytes() == TEST
    del server.files["vox1_dev_wav_partaa"]
    with pytest.raises(
        ValueError, match=r"vox1_dev_wav_partaa: 127\.0\.0\.1:\d+ answers 404 "
    ) as caught:
        run(monkeypatch, tmp_path / "d", "--download", "--url", url, "--archives", "vox1_dev_wav")
    assert "s3cr3t" not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:1", r"127\.0\.0\.1:1 cannot be reached \(ConnectionRefusedError"),
        ("http://no-such-host.invalid", r"no-such-host\.invalid cannot be reached \(gaierror"),
    ],
)
@pytest.mark.usefixtures("server")
def test_no_network_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, told: str
) -> None:
    with pytest.raises(
        ValueError, match=f"vox1_test_wav.zip: {told}.*fetch it elsewhere, to "
    ) as e:
        words = ["--download", "--url", url, "--archives", "vox1_test_wav"]
        run(monkeypatch, tmp_path / "d", *words)
    assert len(str(e.value).splitlines()) == 1
    assert list((tmp_path / "d").iterdir()) == []


def test_lists_come_from_the_first_server_that_has_them(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = {name: f"1 a b {name}\n".encode() for name in download_voxceleb.LISTS}
    (tmp_path / "md5sums").write_text(
        f"{hashlib.md5(lists['veri_test.txt']).hexdigest()}  veri_test.txt\n"
    )
    urls = ("http://127.0.0.1:1/{}", f"{server.url}/meta/{{}}")
    monkeypatch.setattr(download_voxceleb, "LISTS_URLS", urls)
    server.files = lists | {"vox1_meta.csv": b"<html>gone</html>"}
    with pytest.raises(ValueError, match=r"vox1_meta\.csv: the server sends a page instead"):
        run(monkeypatch, tmp_path / "d", "--lists")
    assert not (tmp_path / "d/meta/vox1_meta.csv").exists()
    server.files = lists
    run(monkeypatch, tmp_path / "d", "--lists")
    assert snapshot(tmp_path / "d/meta") == lists
    assert len(lists) == 9


def test_damaged_or_missing_parts_are_refused_and_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "d"
    run(monkeypatch, folder, "--download", "--url", server.url, "--archives", "vox1_dev_wav")
    (folder / "vox1_dev_wav_partab").rename(tmp_path / "aside")
    before = snapshot(folder)
    with pytest.raises(ValueError, match="vox1_dev_wav_partab missing of vox1_dev_wav"):
        run(monkeypatch, folder, "--extract")
    assert snapshot(folder) == before
    (folder / "vox1_dev_wav_partab").write_bytes(b"damaged")
    before = snapshot(folder)
    with pytest.raises(ValueError, match=r"vox1_dev_wav\.zip: its parts are damaged, their MD5 is"):
        run(monkeypatch, folder, "--extract")
    assert snapshot(folder) == before
    with pytest.raises(ValueError, match="none of vox2_dev_aac, vox2_test_aac in it, whole or in"):
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
        match=rf"vox1_test_wav\.zip: damaged, its MD5 is \w+, not {ALL_MD5[path.name]}: remove "
        rf"{path} and fetch it again, or unpack it to {tmp_path}/vox1_test_wav yourself",
    ):
        run(monkeypatch, tmp_path, *words)
    assert snapshot(tmp_path) == before
    path.write_bytes(TEST)
    run(monkeypatch, tmp_path, *words)
    run(monkeypatch, tmp_path, *words)  # it is there: nothing to check
    assert caplog.messages.count(f"checking the MD5 of {path}") == 2
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
        (damage(STORED, STORED.index(DIRECTORY) + 20, b"\xff\xff\xff\0" * 2), "EOFError"),
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
    with pytest.raises(ValueError, match=rf"vox1_test_wav\.zip: damaged \({told}.*\): remove it"):
        run(monkeypatch, folder, "--extract", "--archives", "vox1_test_wav")
    assert [path.name for path in folder.iterdir()] == ["vox1_test_wav.zip"]


def test_nothing_asked_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="nothing to do: name at least one of --download, --extr"):
        run(monkeypatch, tmp_path)


@pytest.fixture
def m4a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six M4A files, of 44.1 kHz and two channels, and an ffmpeg on the PATH that reads them."""
    (tmp_path / "bin").mkdir()
    ffmpeg = tmp_path / "bin/ffmpeg"
    ffmpeg.symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    tree = tmp_path / "VoxCeleb"
    for i in range(6):
        path = tree / f"vox2_dev_aac/dev/aac/id0001{i % 2}/2DLq_Kkc1r8/0000{i}.m4a"
        samples = make_speech(i, 0.5, 44100)
        wav = write_audio(tmp_path / "stereo.wav", samples.repeat(2).reshape(-1, 2), 44100)
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([ffmpeg, "-v", "error", "-y", "-i", wav, "-c:a", "aac", path], check=True)
    return tree


def test_m4a_becomes_wav_beside_it_once(
    m4a_tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    sources = sorted(m4a_tree.rglob("*.m4a"))
    run(monkeypatch, m4a_tree, "--convert", "--nj", "2")
    made = sorted(m4a_tree.rglob("*.wav"))
    assert [path.with_suffix(".m4a") for path in made] == sources == sorted(m4a_tree.rglob("*.m4a"))
    for path in made:
        info = read_info(path)
        assert (info.sampling_rate, info.num_channels, info.subtype) == (16000, 1, "PCM_16")
        assert 0.5 <= info.duration < 0.6
    assert f"{m4a_tree}: 6 files converted, 0 were before, 0 are broken" in caplog.text

    made[0].write_bytes(b"not made again")
    made[1].unlink()
    run(monkeypatch, m4a_tree, "--convert")
    assert made[0].read_bytes() == b"not made again"
    assert read_info(made[1]).sampling_rate == 16000
    assert f"{m4a_tree}: 1 files converted, 5 were before, 0 are broken" in caplog.text
    assert {path.suffix for path in m4a_tree.rglob("*.*")} == {".m4a", ".wav"}


def test_broken_m4a_is_listed_and_the_rest_converted(
    m4a_tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = m4a_tree / "vox2_dev_aac/dev/aac/id00010/2DLq_Kkc1r8/00002.m4a"
    whole = path.read_bytes()
    path.write_bytes(b"no sound")
    run(monkeypatch, m4a_tree, "--convert", "--nj", "2")  # one is never too many
    listed = (m4a_tree / "broken_files").read_text().splitlines()
    assert len(listed) == 1
    assert listed[0].startswith(f"{path} ")
    assert len(list(m4a_tree.rglob("*.wav"))) == 5
    assert not list(m4a_tree.rglob("*.partial"))

    other = path.with_name("00000.m4a")
    other.write_bytes(b"")
    other.with_suffix(".wav").unlink()
    with pytest.raises(ValueError, match=r"2 of 6 files are bad, .*see .*/broken_files; first"):
        run(monkeypatch, m4a_tree, "--convert")
    assert len((m4a_tree / "broken_files").read_text().splitlines()) == 2
    for mended in (path, other):
        mended.write_bytes(whole)
    run(monkeypatch, m4a_tree, "--convert")
    assert not (m4a_tree / "broken_files").exists()


def test_conversion_without_ffmpeg_or_m4a_is_refused(
    m4a_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: no \.m4a files in it to convert"):
        run(monkeypatch, tmp_path / "empty", "--convert")
    before = snapshot(m4a_tree)
    (tmp_path / "bin/ffmpeg").unlink()
    with pytest.raises(ValueError, match="--convert needs ffmpeg on the PATH: install it"):
        run(monkeypatch, m4a_tree, "--convert")
    assert snapshot(m4a_tree) == before
