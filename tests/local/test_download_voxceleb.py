"""VoxCeleb fetched from a server on this machine."""

import base64
import hashlib
import logging
from pathlib import Path

import pytest

import download_voxceleb
from support.archive_server import ALL_MD5, FILES, TEST, VOXCELEB1, Server
from support.preparation import run_main
from support.speech import snapshot
from voxceleb import downloads


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> None:
    run_main(monkeypatch, download_voxceleb, folder, *words)


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
    with pytest.raises(
        ValueError,
        match=r"^vox1_test_wav\.zip: 127\.0\.0\.1:\d+ .* 1500 bytes.*/d/vox1_test_wav\.zip$",
    ):
        run(monkeypatch, tmp_path / "d", *words)
    assert len(server.asked) == downloads.NUM_ATTEMPTS
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["vox1_test_wav.zip.partial"]


def test_what_differs_from_its_md5_is_removed_and_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["vox1_dev_wav_partab"] = b"<html>please log in</html>"
    words = ["--download", "--url", server.url, *VOXCELEB1]
    told = rf"^vox1_dev_wav_partab: .*MD5 .*{ALL_MD5['vox1_dev_wav_partab']}"
    with pytest.raises(ValueError, match=told):
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
    with pytest.raises(ValueError, match=r"\b401\b.*VOXCELEB_USER and VOXCELEB_PASSWORD"):
        run(monkeypatch, tmp_path / "d", *words)
    monkeypatch.setenv("VOXCELEB_USER", "anna")
    monkeypatch.setenv("VOXCELEB_PASSWORD", "guess")
    with pytest.raises(ValueError, match=r"\b401\b.*VOXCELEB_USER and VOXCELEB_PASSWORD"):
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
        ValueError, match=r"^vox1_dev_wav_partaa: 127\.0\.0\.1:\d+ .*\b404\b.*--url"
    ) as caught:
        run(monkeypatch, tmp_path / "d", "--download", "--url", url, "--archives", "vox1_dev_wav")
    assert "s3cr3t" not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:1", r"127\.0\.0\.1:1 .*\(ConnectionRefusedError"),
        ("http://no-such-host.invalid", r"no-such-host\.invalid .*\(gaierror"),
    ],
)
@pytest.mark.usefixtures("server")
def test_no_network_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, told: str
) -> None:
    with pytest.raises(ValueError, match=f"^vox1_test_wav.zip: {told}.*/d/vox1_test_wav.zip$") as e:
        words = ["--download", "--url", url, "--archives", "vox1_test_wav"]
        run(monkeypatch, tmp_path / "d", *words)
    assert len(str(e.value).splitlines()) == 1
    assert not (tmp_path / "d").exists()


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
    with pytest.raises(ValueError, match=r"^vox1_meta\.csv: .*page"):
        run(monkeypatch, tmp_path / "d", "--lists")
    assert not (tmp_path / "d/meta/vox1_meta.csv").exists()
    server.files = lists
    run(monkeypatch, tmp_path / "d", "--lists")
    assert snapshot(tmp_path / "d/meta") == lists
    assert len(lists) == 9


def test_nothing_asked_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="--download, --extract, --convert, --lists"):
        run(monkeypatch, tmp_path)
