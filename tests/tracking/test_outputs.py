"""The files of a track."""

import csv
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from matplotlib.image import imread
from spyder.der import compute_der_from_rttm

from deep_speaker.tracking import timeline
from deep_speaker.tracking.picture import draw, write_picture
from deep_speaker.tracking.tables import write_csv, write_rttm
from deep_speaker.tracking.timeline import write_timeline
from deep_speaker.tracking.track import Segment, Track
from support.speech import write_audio

NAME = 'Ana <b>"María"</b>'
SEGMENTS = [
    Segment(0.5, 4.25, NAME, 0.812),
    Segment(4.25, 6.0, "unknown", None),
    Segment(7.0, 9.5, "speaker-1", 0.7),
]


@pytest.fixture
def track(tmp_path: Path) -> Track:
    """A recording of 10 s, of which three parts are given to somebody."""
    samples = 0.1 * np.random.default_rng(0).standard_normal(160000)
    return Track(write_audio(tmp_path / "the meeting.wav", samples), 10.0, 0.5, SEGMENTS)


def test_csv_holds_every_segment(track: Track, tmp_path: Path) -> None:
    write_csv(track, tmp_path / "track.csv")
    with (tmp_path / "track.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line["start"]) for line in lines] == [0.5, 4.25, 7.0]
    assert [float(line["end"]) for line in lines] == [4.25, 6.0, 9.5]
    assert [line["speaker"] for line in lines] == [NAME, "unknown", "speaker-1"]
    assert [line["score"] for line in lines] == ["0.812", "", "0.700"]


def test_another_program_reads_the_rttm(track: Track, tmp_path: Path) -> None:
    """Spyder reads it, and counts what differs from a reference."""
    write_rttm(track, tmp_path / "track.rttm")
    reference = tmp_path / "reference.rttm"
    reference.write_text(
        "SPEAKER the%20meeting 1 0.5 5.5 <NA> <NA> x <NA> <NA>\n"
        "SPEAKER the%20meeting 1 7 3 <NA> <NA> y <NA> <NA>\n"
    )
    paths = [str(reference), str(tmp_path / "track.rttm")]
    printed = CliRunner().invoke(compute_der_from_rttm, paths, catch_exceptions=False).output
    # Of 8.5 s, the last 0.5 are missed, and 1.75 are given to a second speaker of x
    assert re.findall(r"[\d.]+", printed.splitlines()[-2]) == [
        "8.50", "5.88", "0.00", "20.59", "26.47",
    ]  # fmt: skip


def test_a_picture_has_a_row_for_each_speaker(track: Track, tmp_path: Path) -> None:
    axes = draw(track).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [f"{NAME}  0:04", "unknown  0:02", "speaker-1  0:02"]
    first = axes.collections[0].get_paths()[0].get_extents()
    assert (first.x0, first.x1) == (0.5, 4.25)
    write_picture(track, tmp_path / "track.png")
    assert imread(tmp_path / "track.png").shape[1] == 2000


def test_a_page_plays_each_segment(track: Track, tmp_path: Path) -> None:
    write_timeline(track, tmp_path / "track.html")
    page = (tmp_path / "track.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|<b>", page)
    buttons = re.findall(r'<button data-row="(\d)" .*?title="(.*?)"', page)
    assert [(row, unescape(title).rsplit(",", 1)[0]) for row, title in buttons] == [
        ("0", NAME), ("1", "unknown"), ("2", "speaker-1"),
    ]  # fmt: skip
    assert 'data-start="7.000" data-end="9.500"' in page
    held = re.search(r'src="data:audio/x?-?wav;base64,(.*?)"', page)
    assert held
    (tmp_path / "held.wav").write_bytes(timeline.base64.b64decode(held[1]))
    assert soundfile.info(tmp_path / "held.wav").frames == 160000


def test_a_long_recording_stays_where_it_is(
    track: Track, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "LARGEST_HELD", 1000)
    write_timeline(track, tmp_path / "pages/track.html")
    assert 'src="../the%20meeting.wav"' in (tmp_path / "pages/track.html").read_text()


def test_silence_has_files_too(track: Track, tmp_path: Path) -> None:
    silent = Track(track.audio, 10.0, 0.5, [])
    write_csv(silent, tmp_path / "a.csv")
    write_rttm(silent, tmp_path / "a.rttm")
    write_picture(silent, tmp_path / "a.png")
    write_timeline(silent, tmp_path / "a.html")
    assert (tmp_path / "a.csv").read_text() == "start,end,speaker,score\n"
    assert (tmp_path / "a.rttm").read_text() == ""
    assert "Nobody speaks" in (tmp_path / "a.html").read_text()


@pytest.mark.parametrize("write", [write_csv, write_rttm, write_picture, write_timeline])
def test_a_stop_leaves_the_old_file(track: Track, tmp_path: Path, write: object) -> None:
    path = tmp_path / "old"
    path.write_text("old")
    broken = Track(track.audio, 10.0, 0.5, [*SEGMENTS, Segment(9.5, None, "x", 0.1)])  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        write(broken, path)  # type: ignore[operator]
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir() if "partial" in each.name] == []
