"""A server of tiny archives in the place of VoxCeleb's."""

import hashlib
import io
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zipfile import ZIP_STORED, ZipFile


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
