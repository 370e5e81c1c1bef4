"""Corpora, and a server, for several files of tests."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import download_voxceleb
from support.archive_server import ALL_MD5, FILES, Handler, Server
from support.lhotse_parts import make_part, write_part
from voxceleb import downloads


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, tuple[list, list]]:
    """Manifests of two parts, written to tmp_path/lhotse."""
    made = {name: make_part(name, tmp_path / "audio") for name in ("train-small", "test-clean")}
    for name, manifests in made.items():
        write_part(tmp_path / "lhotse", name, *manifests)
    return made


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
