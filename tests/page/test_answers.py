"""The answers of the page, without a browser: sentences, refusals, and what is kept."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deep_speaker.page.about import describe_privacy, read_card
from deep_speaker.page.enrolment import describe_enrolled, enrol, list_speakers, remove
from deep_speaker.page.hearing import LONGEST_TRACKED_SECONDS, check_recording
from deep_speaker.page.identification import identify_speaker
from deep_speaker.page.uploads import Uploads
from deep_speaker.page.verification import verify
from deep_speaker.voices.speaker_store import SpeakerStore
from support.voice_models import make_voice_model
from support.voice_recordings import write_voice

MODEL = make_voice_model()


@pytest.fixture
def store(tmp_path: Path) -> SpeakerStore:
    return SpeakerStore(tmp_path / "voices", MODEL.id, MODEL.name)


def words(html: str) -> str:
    """The text of HTML, with single blanks."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def voice(folder: Path, name: str, *direction: float) -> str:
    return str(write_voice(folder / name, *direction))


def test_one_voice_is_told_with_the_error_rates_of_the_threshold(tmp_path: Path) -> None:
    """A cosine of 0.8 has a log likelihood ratio of 10 * 0.8 - 5 = 3, odds of 20."""
    html = verify(MODEL, voice(tmp_path, "a.wav", 1, 0), voice(tmp_path, "b.wav", 4, 3))
    assert 'data-answer="same"' in html
    text = words(html)
    assert "The same voice score 0.800 threshold 0.500 log likelihood ratio 3.00" in text
    assert "probability of one voice 95.3 %" in text
    assert "on 7 speakers whom the model did not know, 10.0 % of pairs" in text
    assert "20.0 % of pairs of one voice for two" in text
    assert html.count("data:image/png;base64,") == 2


def test_different_voices_are_told(tmp_path: Path) -> None:
    html = verify(MODEL, voice(tmp_path, "a.wav", 1, 0), voice(tmp_path, "b.wav", 0, 1))
    assert 'data-answer="different"' in html
    assert "Different voices score 0.000" in words(html)


def test_a_model_that_is_not_calibrated_gives_its_score_alone(tmp_path: Path) -> None:
    model = make_voice_model(None)
    html = verify(model, voice(tmp_path, "a.wav", 1, 0), voice(tmp_path, "b.wav", 4, 3))
    text = words(html)
    assert "Not decided score 0.800 This model is not calibrated" in text
    assert "ds-scale" not in html


def test_what_is_odd_about_a_recording_stands_below_it(tmp_path: Path) -> None:
    telephone = str(write_voice(tmp_path / "b.wav", 1, 0, rate=8000))
    text = words(verify(MODEL, voice(tmp_path, "a.wav", 1, 0), telephone))
    assert text.count("sampled at 8000 Hz") == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "a.wav: empty file: convert it to WAV or FLAC"),
        (b"no audio at all", "a.wav: unreadable: .*: convert it to WAV or FLAC"),
    ],
)
def test_what_is_no_audio_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(ValueError, match=f"^{sentence}"):
        verify(MODEL, str(tmp_path / "a.wav"), None)


def test_a_missing_recording_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no recording: record or choose the second recording"):
        verify(MODEL, voice(tmp_path, "a.wav", 1, 0), None)


def test_refusals_name_the_file_and_not_where_it_lies_for_a_while(tmp_path: Path) -> None:
    short = str(write_voice(tmp_path / "a.wav", 1, 0, seconds=0.5))
    with pytest.raises(ValueError, match=r"^a.wav: 0.5 s long: give a recording with at least 1 s"):
        verify(MODEL, short, short)


def test_long_recordings_are_refused_before_they_are_read(tmp_path: Path) -> None:
    long = str(write_voice(tmp_path / "long.wav", 1, 0, seconds=121))
    sentence = "^long.wav: 2 min 1 s long: give at most 2 min here"
    with pytest.raises(ValueError, match=sentence):
        verify(MODEL, long, long)
    assert check_recording(long, LONGEST_TRACKED_SECONDS) == Path(long)


def test_large_files_are_refused_unopened(tmp_path: Path) -> None:
    with (tmp_path / "large.wav").open("wb") as file:
        file.truncate(101_000_000)
    with pytest.raises(ValueError, match=r"^large.wav: 101 MB: give at most 100 MB$"):
        check_recording(str(tmp_path / "large.wav"), 60)


def test_enrolment_keeps_numbers_and_no_audio(tmp_path: Path, store: SpeakerStore) -> None:
    recorded = voice(tmp_path / "up", "audio.wav", 1, 0)
    files = [voice(tmp_path / "up", "ana1.wav", 4, 3), voice(tmp_path / "up", "ana2.wav", 4, 3)]
    html = enrol(MODEL, store, " Ana ", recorded, files)
    assert "Ana is enrolled 2 recordings added, 2 in all." in words(html)
    assert "ana2.wav was enrolled already" in words(html)
    (ana,) = store.speakers()
    assert ana.sources == ["microphone", "ana1.wav"]
    assert ana.vectors == pytest.approx(np.array([[1, 0], [0.8, 0.6]]), abs=1e-3)
    suffixes = {path.suffix for path in store.folder.iterdir() if path.name != ".lock"}
    assert suffixes == {".json"}


def test_of_refused_recordings_none_is_enrolled(tmp_path: Path, store: SpeakerStore) -> None:
    good = voice(tmp_path, "good.wav", 1, 0)
    short = str(write_voice(tmp_path / "short.wav", 1, 0, seconds=0.5))
    with pytest.raises(ValueError, match=r"^short.wav: 0.5 s long"):
        enrol(MODEL, store, "ana", None, [good, short])
    with pytest.raises(ValueError, match="no recording: record or choose one of ana first"):
        enrol(MODEL, store, "ana", None, None)
    with pytest.raises(ValueError, match="no name"):
        enrol(MODEL, store, "  ", good, None)
    assert not store.folder.exists()


def test_speakers_are_listed_and_removed(tmp_path: Path, store: SpeakerStore) -> None:
    assert "Nobody is enrolled yet" in list_speakers(store)
    assert "Nobody is enrolled yet" in describe_enrolled(store)
    enrol(MODEL, store, "<i>Ana", voice(tmp_path, "a.wav", 1, 0), None)
    assert "&lt;i&gt;Ana" in list_speakers(store)
    assert "Enrolled: &lt;i&gt;Ana." in describe_enrolled(store)
    with pytest.raises(ValueError, match="nobody is chosen"):
        remove(store, None)
    remove(store, "<i>Ana")
    assert "Nobody is enrolled yet" in list_speakers(store)


def test_speakers_of_another_model_are_not_shown_as_nobody(
    tmp_path: Path, store: SpeakerStore
) -> None:
    enrol(MODEL, store, "ana", voice(tmp_path, "a.wav", 1, 0), None)
    text = words(list_speakers(SpeakerStore(store.folder, "another", "models/another")))
    assert "cannot be used" in text
    assert "enrolled by the model models/given" in text


def test_a_voice_is_named_and_nobody_stands_among_the_candidates(
    tmp_path: Path, store: SpeakerStore
) -> None:
    unknown = voice(tmp_path, "u.wav", 4, 3)
    with pytest.raises(ValueError, match="nobody is enrolled"):
        identify_speaker(MODEL, store, unknown)
    enrol(MODEL, store, "ana", voice(tmp_path, "a.wav", 4, 3), None)
    enrol(MODEL, store, "bo", voice(tmp_path, "b.wav", 3, -4), None)
    html = identify_speaker(MODEL, store, unknown)
    assert 'data-answer="ana"' in html
    rows = re.findall(r"<tr[^>]*>\s*<td>(.*?)</td>", html)
    assert rows == ["ana", "nobody who is enrolled", "bo"]
    assert "With 2 enrolled, up to" in words(html)


def test_a_stranger_is_nobody(tmp_path: Path, store: SpeakerStore) -> None:
    enrol(MODEL, store, "ana", voice(tmp_path, "a.wav", 1, 0), None)
    html = identify_speaker(MODEL, store, voice(tmp_path, "b.wav", 0, 1))
    assert 'data-answer="different"' in html
    assert "<h2>Nobody who is enrolled</h2>" in html


def test_the_card_is_shown_without_links_to_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# small\n\nSee [the config](config.yaml).\n")
    assert read_card(str(tmp_path)) == "# small\n\nSee the config.\n"
    assert "no card" in read_card(str(tmp_path / "nowhere"))


def test_visitors_are_told_what_is_kept() -> None:
    text = words(describe_privacy(Path("voices"), 60))
    assert "Voices are biometric data" in text
    assert "100 MB, and 2 min; for tracking 10 min" in text


def test_uploads_go_with_the_last_page_that_holds_them(tmp_path: Path) -> None:
    both, mine = tmp_path / "both.wav", tmp_path / "mine.wav"
    for path in (both, mine):
        path.touch()
    uploads = Uploads()
    uploads.remember("one", [str(both), str(mine)])
    uploads.remember("other", [str(both)])
    uploads.forget("one")
    assert both.exists() and not mine.exists()
    uploads.forget("other")
    uploads.forget("never seen")
    assert not both.exists()


def test_gradio_is_imported_by_serve_alone() -> None:
    """It takes seconds, and other commands need none of it."""
    code = "import sys, deep_speaker.page.serving; sys.exit('gradio' in sys.modules)"
    folder = Path(__file__).parents[2] / "pyscripts"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(folder)})


def test_names_of_speakers_and_files_are_text(tmp_path: Path, store: SpeakerStore) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    path = voice(tmp_path, evil.replace("/", "") + ".wav", 1, 0)
    pages = [
        enrol(MODEL, store, evil, None, [path]),
        enrol(MODEL, store, evil, None, [path]),  # which names the file
        list_speakers(store),
        describe_enrolled(store),
        identify_speaker(MODEL, store, path),
        verify(MODEL, path, path),
        remove(store, evil),
    ]
    for html in pages:
        assert not re.search(r"<script|<img src=x", html)
    assert sum("&lt;script&gt;" in html for html in pages) >= 5
