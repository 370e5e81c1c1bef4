"""Downloads over HTTP: with retries, each from where the last one stopped; checked by MD5."""

import hashlib
import logging
import shutil
import socket
import ssl
import time
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPBasicAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    OpenerDirector,
    Request,
    build_opener,
)

from deep_speaker.system.durability import sync

NUM_ATTEMPTS = 5
PAUSE = 5.0  # seconds before the second attempt; twice as long before each further one
TIMEOUT = 60.0  # seconds without a byte
CHUNK = 1 << 20  # bytes
NETWORK_ERRORS = (URLError, HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


def make_opener(url: str, user: str | None, password: str | None) -> OpenerDirector:
    """Make an opener of URLs, with a password if the server of `url` asks for one."""
    if not user:
        return build_opener()
    passwords = HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(
        None, "{0.scheme}://{0.netloc}/".format(urlsplit(url)), user, password or ""
    )
    return build_opener(HTTPBasicAuthHandler(passwords))


def fetch(urls: Sequence[str], target: Path, md5: str | None, opener: OpenerDirector) -> None:
    """Fetch a file, unless it is there, from the first of `urls` that has it.

    Raises:
        ValueError: no server can be reached or has it, or the file is damaged.
    """
    if target.exists():
        logging.info("%s is there", target)
        return
    partial = target.with_name(target.name + ".partial")
    for url in urls:
        try:
            _fetch_with_retries(url, partial, opener)
            break
        except ValueError:
            if url == urls[-1]:
                raise
    try:
        check_file(partial, md5)
    except ValueError:
        partial.unlink()
        raise
    sync(partial)
    partial.replace(target)
    logging.info(
        "%s: %d bytes%s", target, target.stat().st_size, ", MD5 as expected" if md5 else ""
    )


def _fetch_with_retries(url: str, partial: Path, opener: OpenerDirector) -> None:
    name, server = partial.stem, urlsplit(url).netloc  # a URL may hold a key: none in messages
    for attempt in range(NUM_ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            return _fetch_rest(url, partial, opener)
        except HTTPError as error:
            if error.code == 416 and partial.exists():  # nothing after what is there
                return None
            failure = f"{name}: {server} answers {error.code} {error.reason}"
            if error.code in (401, 403):
                raise ValueError(
                    f"{failure}: ask the owners of VoxCeleb for a user and password, and set "
                    "VOXCELEB_USER and VOXCELEB_PASSWORD, or name your own --url with its key"
                ) from error
            if error.code < 500:
                raise ValueError(f"{failure}: name another server with --url") from error
        except NETWORK_ERRORS as error:
            reason = getattr(error, "reason", error)
            failure = f"{name}: {server} cannot be reached ({type(reason).__name__}: {reason})"
            if isinstance(reason, socket.gaierror):
                break  # without a network, waiting does not help
        logging.warning("%s, attempt %d of %d", failure, attempt + 1, NUM_ATTEMPTS)
    raise ValueError(
        f"{failure}: try again, which fetches only the rest; or fetch it elsewhere, to "
        f"{partial.with_suffix('')}"
    )


def _fetch_rest(url: str, partial: Path, opener: OpenerDirector) -> None:
    """Fetch what `partial` lacks, if the server can; else all."""
    have = partial.stat().st_size if partial.exists() else 0
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with opener.open(request, timeout=TIMEOUT) as response:
        if response.status != 206:
            have = 0
        with partial.open("ab" if have else "wb") as file:
            shutil.copyfileobj(response, file, CHUNK)
        length = response.headers.get("Content-Length")
    if length is not None and partial.stat().st_size < have + int(length):
        raise ConnectionError(f"broke off after {partial.stat().st_size} bytes")


def check_file(path: Path, md5: str | None, remedy: str = "fetch it again") -> None:
    """Check a file's MD5; of a text without one, that it is no web page.

    Raises:
        ValueError: it is damaged, or a page.
    """
    name = path.name.removesuffix(".partial")
    with path.open("rb") as file:
        if md5 is None:
            if file.read(1) in (b"", b"<"):
                raise ValueError(f"{name}: the server sends a page instead: name another server")
            return
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != md5:
        raise ValueError(f"{name}: damaged, its MD5 is {found}, not {md5}: {remedy}")


def read_md5sums(path: Path) -> dict[str, str]:
    """Read MD5 sums by file name, from a table as md5sum writes it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: md5 for md5, name in (line.split() for line in lines)}
