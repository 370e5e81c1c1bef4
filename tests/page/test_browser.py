"""The page in a headless browser, as a visitor uses it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from support.browsers import chromium, find_chromium
from support.voice_recordings import write_voice

TOP = Path(__file__).parents[2]
SERVE = """
import sys
from pathlib import Path
from deep_speaker.page.serving import serve
from deep_speaker.system.stopping import stop_in_order
from support.voice_models import make_voice_model
stop_in_order()  # as the frame of the command does
serve(make_voice_model(), Path(sys.argv[1]), int(sys.argv[2]))
"""
PATIENCE = 60_000  # milliseconds, on a busy machine


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """`serve`, which has printed its address; its uploads go below tmp_path/uploads."""
    find_chromium()
    (tmp_path / "uploads").mkdir()
    paths = f"{TOP / 'pyscripts'}:{TOP / 'tests'}"
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(tmp_path / "voices"), str(free_port())],
        env=os.environ | {"PYTHONPATH": paths, "TMPDIR": str(tmp_path / "uploads")},
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.wait()


class Visitor:
    """A visitor of the page, on one tab at a time."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def go_to(self, tab: str) -> None:
        self.page.get_by_role("tab", name=tab).click()
        expect(self.panel).to_have_count(1)

    @property
    def panel(self) -> Locator:
        return self.page.locator("[role=tabpanel]:visible")

    def give(self, path: Path, left: int = 0) -> None:
        """Give a recording to the first input that has none, so that some are left."""
        empty = self.panel.locator("input[type=file]")
        with self.page.expect_response(lambda response: "/upload?" in response.url):
            empty.first.set_input_files(path)
        expect(empty).to_have_count(left, timeout=PATIENCE)

    def press(self, button: str) -> None:
        self.panel.get_by_role("button", name=button, exact=True).click()

    def expect_answer(self, answer: str, text: str) -> None:
        expect(self.panel.locator(f"[data-answer='{answer}']")).to_contain_text(
            text, timeout=PATIENCE
        )


def uploads(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "uploads").rglob("*.wav"))


def test_a_visitor_verifies_enrols_and_identifies(server: subprocess.Popen, tmp_path: Path) -> None:
    assert server.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())
    assert found
    address = found[0]
    ana1 = write_voice(tmp_path / "ana1.wav", 1, 0)
    ana2 = write_voice(tmp_path / "ana2.wav", 4, 3)
    stranger = write_voice(tmp_path / "stranger.wav", -3, 4)
    long = write_voice(tmp_path / "long.wav", 1, 0, seconds=121)
    with chromium() as browser:
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        visitor = Visitor(page)

        visitor.give(ana1, left=1)
        visitor.give(ana2)
        visitor.press("Compare")
        visitor.expect_answer("same", "score 0.800")

        visitor.go_to("Identify")
        expect(visitor.panel).to_contain_text("Nobody is enrolled yet", timeout=PATIENCE)
        visitor.go_to("Enrol")
        visitor.panel.get_by_label("Name").fill("Ana Müller")
        visitor.give(ana1, left=1)
        expect(visitor.panel).to_contain_text("ana1", timeout=PATIENCE)
        visitor.press("Enrol")
        visitor.expect_answer("enrolled", "1 recording added, 1 in all")
        expect(visitor.panel.locator("table")).to_contain_text("Ana Müller", timeout=PATIENCE)

        visitor.go_to("Identify")
        visitor.give(ana2)
        visitor.press("Identify")
        visitor.expect_answer("Ana Müller", "Ana Müller")
        visitor.panel.get_by_label("Clear").first.click()
        visitor.give(stranger)
        visitor.press("Identify")
        visitor.expect_answer("different", "Nobody who is enrolled")
        visitor.panel.get_by_label("Clear").first.click()
        visitor.give(long)
        visitor.press("Identify")
        expect(page.locator("body")).to_contain_text(
            "long.wav: 2 min 1 s long: give at most 2 min here", timeout=PATIENCE
        )
        expect(visitor.panel.locator("[data-answer]")).to_have_count(0)

        others = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
        assert others == []
        assert uploads(tmp_path) == ["ana1.wav", "ana2.wav", "long.wav", "stranger.wav"]
        page.close()
        expect_gone(tmp_path)
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=30) == 0
    assert list((tmp_path / "uploads").iterdir()) == []


def expect_gone(folder: Path) -> None:
    """Wait until no upload is left."""
    for _ in range(100):
        if not uploads(folder):
            return
        time.sleep(0.3)
    raise AssertionError(f"still there: {uploads(folder)}")
