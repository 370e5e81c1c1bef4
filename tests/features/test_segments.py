"""Segments in stage 1: cut from recordings that are opened once."""

import logging
import shutil
from pathlib import Path

import lhotse
import numpy as np
import pytest
from lhotse import FeatureSet

from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.corpora.manifests import write_manifests
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.features.recordings import Recording, iterate_recordings
from deep_speaker.features.shards import analyse
from deep_speaker.kaldi import data_dir
from deep_speaker.kaldi.audio import load_audio, read_info
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import Segment, Utterance
from support import kaldi_checks
from support.speech import EXPERIMENT
from support.stage_1_folders import NUM_SPEAKERS, audio_file, failing, read_arrays, read_everything


@pytest.fixture
def segmented(folder: Path, tmp_path: Path) -> Path:
    """60 segments of 20 recordings: files, and commands that note that they are run.

    The second of a recording lies at its beginning.
    """
    utterances = []
    for i in range(NUM_SPEAKERS):
        path = audio_file(folder, f"spk{i}-0")
        entry = f"echo {i} >> {tmp_path}/runs; cat {path} |" if i % 2 else str(path)
        for part, (start, end) in enumerate([(0.05, 0.2), (0.0, 0.1), (0.1, 0.25)]):
            segment = Segment(f"spk{i}-0", start, end)
            key = f"spk{i}-s{part}"
            utterances.append(
                Utterance(key, f"spk{i}", entry, read_info(path), None, None, segment)
            )
    utterances.sort(key=lambda item: item.id)
    shutil.rmtree(folder)
    write_data_dir(folder, utterances)
    write_manifests(folder, utterances)
    return folder


def test_utterances_of_a_recording_come_together_in_the_order_of_their_times(
    tmp_path: Path,
) -> None:
    """Those of the two speakers of a call are apart in the tables."""
    tables = {
        "wav.scp": "call-10 x |\ncall-9 /y.wav\nunused /z.wav\n",
        "reco2dur": "call-9 7.5\n",
        "segments": "a-1 call-9 3 4\na-2 call-10 0 1\nb-1 call-9 1 2.5\n",
    }
    for name, content in tables.items():
        (tmp_path / name).write_text(content)
    first, second = iterate_recordings(tmp_path)
    assert first == Recording("call-10", "x |", None, [("a-2", Segment("call-10", 0, 1))])
    parts = [("b-1", Segment("call-9", 1, 2.5)), ("a-1", Segment("call-9", 3, 4))]
    assert second == Recording("call-9", "/y.wav", 7.5, parts)  # type: ignore[arg-type]


def test_segments_are_cut_from_recordings_that_are_opened_once(
    segmented: Path, tmp_path: Path
) -> None:
    compute_data_dir(segmented, EXPERIMENT, 3)
    runs = (tmp_path / "runs").read_text().split()
    assert sorted(runs, key=int) == [str(i) for i in range(1, NUM_SPEAKERS, 2)]
    feats = read_arrays(segmented, "feats.scp")
    entries = read_table(segmented / "wav.scp")
    assert len(feats) == 60
    for key, line in read_table(segmented / "segments").items():
        recording, start, end = line.split()
        samples, _ = load_audio(entries[recording], 16000)
        part = samples[int(float(start) * 16000) : int(float(end) * 16000)]
        filterbanks, _ = analyse([part], EXPERIMENT)
        step = np.ptp(filterbanks) / 65535
        np.testing.assert_allclose(feats[key], filterbanks, rtol=0, atol=step)
    assert kaldi_checks.validate(segmented) == "valid"
    for item in FeatureSet.from_file(manifest_path(segmented, "features")):
        lhotse.validate(item, read_data=True)


def test_any_number_of_jobs_gives_the_same_segments(segmented: Path) -> None:
    copy = segmented.with_name("copy")
    shutil.copytree(segmented, copy)
    compute_data_dir(segmented, EXPERIMENT, 1)
    compute_data_dir(copy, EXPERIMENT, 4)
    assert read_everything(segmented) == read_everything(copy)


def test_a_bad_recording_takes_all_its_segments_along(
    segmented: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One recording of twenty is 5 %; beside it, a segment that ends a little after the audio."""
    audio_file(segmented, "spk3-0").write_bytes(b"no audio")
    table = segmented / "segments"
    table.write_text(table.read_text().replace("spk4-0 0.100000 0.250000", "spk4-0 0.1 0.6"))
    expected = {f"spk3-s{i}" for i in range(3)}
    with monkeypatch.context() as patch:  # interrupted when segments no longer names them
        patch.setattr(data_dir, "write_spk2utt", failing(data_dir.write_spk2utt, 1, OSError))
        with pytest.raises(OSError, match="injected"), caplog.at_level(logging.INFO):
            compute_data_dir(segmented, EXPERIMENT, 2)
    assert "1 segments end after their recording" in caplog.text
    assert not read_table(table).keys() & expected
    compute_data_dir(segmented, EXPERIMENT, 2)
    bad = read_table(segmented / "bad_utterances")
    assert bad.keys() == expected
    assert all("unreadable" in reason for reason in bad.values())
    assert len(read_table(segmented / "utt2spk")) == 57
    assert "spk3-0" not in read_table(segmented / "wav.scp")
    assert kaldi_checks.validate(segmented) == "valid"


def test_a_segment_of_no_recording_is_one_line(segmented: Path) -> None:
    table = segmented / "segments"
    table.write_text(table.read_text().replace("spk4-0", "spk4-9"))
    with pytest.raises(ValueError, match=r"/segments: 'spk4-s0' .*'spk4-9', .*wav\.scp"):
        compute_data_dir(segmented, EXPERIMENT, 2)
