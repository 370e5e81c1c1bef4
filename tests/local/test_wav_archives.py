"""Entries `x.ark:123` of wav.scp, on their way through stages 0 and 1."""

import os
from pathlib import Path

import kaldi_native_io
import lhotse
import numpy as np
import pytest
from lhotse import RecordingSet

import prepare_kaldi
import validate_data_dir
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.features.samples import SampleSource
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import group_by_speaker
from support import kaldi_checks
from support.preparation import run_main
from support.speech import EXPERIMENT, RATE, make_speech
from support.stage_1_folders import read_arrays
from support.wav_archives import write_kaldiio_archive, write_wav_archive


def make_set(folder: Path, name: str, writer: str = "wav-copy") -> dict[str, np.ndarray]:
    """A data directory of two speakers of two utterances in an archive, as other programs write."""
    data_dir = folder / f"data/{name}"
    data_dir.mkdir(parents=True)
    speech = {
        f"{name}{i}-{j}": np.rint(make_speech(9 * i + j, 0.5 + j / 9) * 32768).astype(np.int16)
        for i in range(2)
        for j in range(2)
    }
    path = folder / f"{name}.ark"
    if writer == "wav-copy":
        entries = write_wav_archive(path, speech)
    else:
        entries = write_kaldiio_archive(path, speech, "flac")
    utt2spk = {key: key.split("-")[0] for key in speech}
    lines = [f"{key} {' '.join(keys)}\n" for key, keys in group_by_speaker(utt2spk).items()]
    (data_dir / "spk2utt").write_text("".join(lines))
    for table, values in (("wav.scp", entries), ("utt2spk", utt2spk)):
        lines = [f"{key} {value}\n" for key, value in values.items()]
        (data_dir / table).write_text("".join(lines))
    return speech


def prepare(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    run_main(monkeypatch, prepare_kaldi, folder / "a", "--corpus-dir", folder / "data")
    return folder / "a/test"


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("writer", ["wav-copy", "kaldiio"])
def test_audio_of_archives_goes_through_stages_0_and_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str, relative: bool
) -> None:
    speech = make_set(tmp_path, "test", writer)
    make_set(tmp_path, "train", writer)
    entries = read_table(tmp_path / "data/test/wav.scp")
    if relative:
        for scp in (tmp_path / "data").glob("*/wav.scp"):
            scp.write_text(scp.read_text().replace(f"{tmp_path}/", ""))
    data_dir = prepare(monkeypatch, tmp_path)
    assert read_table(data_dir / "wav.scp") == entries
    assert kaldi_checks.validate(data_dir) == "valid"
    compute_data_dir(data_dir, EXPERIMENT, 2)
    validate_data_dir.check_data_dir(data_dir)
    lengths = read_table(data_dir / "utt2dur")
    assert lengths == {key: f"{len(samples) / RATE:.6f}" for key, samples in speech.items()}
    assert read_arrays(data_dir, "feats.scp").keys() == speech.keys()
    source = SampleSource(data_dir, RATE)
    manifest = RecordingSet.from_file(manifest_path(data_dir, "recordings"))
    recordings = {item.id: item for item in manifest}
    for key, samples in speech.items():
        np.testing.assert_array_equal(source.read(key), samples)
        lhotse.validate(recordings[key], read_data=True)
        np.testing.assert_array_equal(recordings[key].load_audio()[0] * 32768, samples)


def test_kaldi_reads_the_entries_of_wav_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("train", "test"):
        speech = make_set(tmp_path, name)
    data_dir = prepare(monkeypatch, tmp_path)
    with kaldi_native_io.SequentialWaveReader(f"scp:{data_dir}/wav.scp") as reader:
        found = {key: np.array(wave.data.numpy()) for key, wave in reader}
    assert found.keys() == speech.keys()
    for key, samples in speech.items():
        np.testing.assert_array_equal(found[key][0], samples)


def test_a_byte_of_an_archive_is_a_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one trains and tests; the same one may not, by whatever link it is named."""
    for name in ("train", "test"):
        make_set(tmp_path, name)
    test, train = (tmp_path / f"data/{name}/wav.scp" for name in ("test", "train"))
    entries = read_table(test)
    used = entries["test0-1"]
    (tmp_path / "link.ark").symlink_to(tmp_path / "train.ark")
    other = read_table(train)["train1-0"].rpartition(":")
    test.write_text(test.read_text().replace(used, f"{tmp_path}/link.ark:{other[2]}"))
    with pytest.raises(ValueError, match=rf"/train\.ark:{other[2]} .*'train1-0'.*'test0-1'"):
        prepare(monkeypatch, tmp_path)


def test_an_archive_that_has_changed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("train", "test"):
        make_set(tmp_path, name)
    data_dir = prepare(monkeypatch, tmp_path)
    before = SampleSource(data_dir, RATE).identify("test0-0")
    assert SampleSource(data_dir, RATE).identify("test0-0") == before
    os.utime(tmp_path / "test.ark", ns=(1, 1))
    assert SampleSource(data_dir, RATE).identify("test0-0") != before


def test_an_archive_that_is_gone_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("train", "test"):
        make_set(tmp_path, name)
    (tmp_path / "test.ark").unlink()
    with pytest.raises(ValueError, match=r"4 of 4 utterances .*test\.ark") as error:
        prepare(monkeypatch, tmp_path)
    assert "\n" not in str(error.value)
