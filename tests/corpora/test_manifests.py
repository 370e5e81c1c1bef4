"""Manifests: Lhotse reads what stages 0 and 1 leave, from either side."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lhotse import CutSet, FeatureSet, RecordingSet, SupervisionSet
from lhotse.kaldi import load_kaldi_data_dir

from deep_speaker.corpora.manifest_lines import (
    manifest_path,
    remove_from_manifests,
    write_features,
)
from deep_speaker.corpora.manifests import write_manifests
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.kaldi.audio import load_audio, read_entry_info
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import Utterance
from support.speech import EXPERIMENT, make_speech, make_utterances, snapshot, write_audio


@pytest.fixture(scope="module")
def utterances(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    """WAV and FLAC at 16 kHz, with one file of two channels and one at 8 kHz."""
    folder = tmp_path_factory.mktemp("audio")
    made = make_utterances(folder, "spk", 3, 3)
    write_audio(Path(made[0].entry), np.stack([make_speech(7), make_speech(8)], axis=1))
    write_audio(Path(made[2].entry), make_speech(9, 0.3, 8000), 8000)
    return [replace(item, info=read_entry_info(item.entry)) for item in made]


@pytest.fixture(scope="module")
def folder(utterances: list[Utterance], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with manifests and features."""
    data_dir = tmp_path_factory.mktemp("data") / "tiny" / "train"
    write_data_dir(data_dir, utterances)
    write_manifests(data_dir, utterances)
    compute_data_dir(data_dir, EXPERIMENT, 2)
    return data_dir


def read_manifests(data_dir: Path) -> tuple[RecordingSet, SupervisionSet, FeatureSet]:
    return (
        RecordingSet.from_file(manifest_path(data_dir, "recordings")),
        SupervisionSet.from_file(manifest_path(data_dir, "supervisions")),
        FeatureSet.from_file(manifest_path(data_dir, "features")),
    )


def test_manifests_lie_where_lhotse_looks_for_them(folder: Path) -> None:
    names = sorted(path.name for path in (folder.parent / "manifests").iterdir())
    assert names == [
        f"tiny_{kind}_train.jsonl.gz" for kind in ("features", "recordings", "supervisions")
    ]


def test_cuts_load_the_features_of_the_arks(folder: Path, utterances: list[Utterance]) -> None:
    recordings, supervisions, features = read_manifests(folder)
    cuts = CutSet.from_manifests(
        recordings=recordings, supervisions=supervisions, features=features
    )
    table = ArchiveTable(folder / "feats.scp")
    by_id = {item.id: item for item in utterances}
    seen = set()
    for cut in cuts:
        item = by_id[cut.recording_id]
        seen.add(item.id)
        stored = table.rows(item.id)
        assert cut.num_frames == len(stored)
        assert cut.num_features == 64
        np.testing.assert_allclose(cut.load_features(), stored, rtol=0, atol=1e-5)
        (supervision,) = cut.supervisions
        assert supervision.speaker == item.speaker
        assert supervision.gender == item.sex
        assert supervision.text == item.text
        assert cut.duration == item.info.duration == supervision.duration
    assert seen == by_id.keys()


def test_recordings_load_the_audio_of_the_files(folder: Path, utterances: list[Utterance]) -> None:
    recordings = {recording.id: recording for recording in read_manifests(folder)[0]}
    for item in utterances:
        recording = recordings[item.id]
        assert recording.sampling_rate == item.info.sampling_rate
        assert recording.num_channels == item.info.num_channels
        audio = recording.load_audio()
        assert audio.shape == (item.info.num_channels, item.info.num_samples)
        samples, _ = load_audio(item.entry, item.info.sampling_rate)
        np.testing.assert_array_equal(audio[0] * 32768, samples)


def test_lhotse_imports_the_kaldi_directory(folder: Path, utterances: list[Utterance]) -> None:
    recordings, supervisions, features = load_kaldi_data_dir(folder, 16000, frame_shift=0.01)
    assert supervisions is not None
    assert features is not None
    expected = {item.id: item for item in utterances}
    assert {item.id for item in recordings} == expected.keys()
    assert {item.id: item.speaker for item in supervisions} == read_table(folder / "utt2spk")
    assert {item.id: item.gender for item in supervisions} == {
        key: item.sex for key, item in expected.items()
    }
    table = ArchiveTable(folder / "feats.scp")
    loaded = {item.recording_id: item.load() for item in features}
    assert loaded.keys() == expected.keys()
    for key, array in loaded.items():
        np.testing.assert_allclose(array, table.rows(key), rtol=0, atol=1e-5)
    for item in recordings:
        assert item.duration == pytest.approx(expected[item.id].info.duration, abs=1e-6)


def test_removed_utterances_leave_recordings_and_supervisions(
    folder: Path, utterances: list[Utterance], tmp_path: Path
) -> None:
    data_dir = tmp_path / "tiny" / "test"
    write_manifests(data_dir, utterances)
    unwanted = {utterances[0].id, utterances[4].id}
    remove_from_manifests(data_dir, unwanted)
    kept = {item.id for item in utterances} - unwanted
    for kind, manifest in (("recordings", RecordingSet), ("supervisions", SupervisionSet)):
        assert {item.id for item in manifest.from_file(manifest_path(data_dir, kind))} == kept


def test_new_manifests_take_the_old_features_away(
    utterances: list[Utterance], tmp_path: Path
) -> None:
    """They would point to arks that belong to other utterances."""
    data_dir = tmp_path / "tiny" / "test"
    write_data_dir(data_dir, utterances)
    write_manifests(data_dir, utterances)
    compute_data_dir(data_dir, EXPERIMENT, 1)
    assert manifest_path(data_dir, "features").is_file()
    write_manifests(data_dir, utterances)
    assert not manifest_path(data_dir, "features").exists()


def test_a_directory_of_kaldi_s_own_gets_no_manifests(
    utterances: list[Utterance], tmp_path: Path
) -> None:
    data_dir = tmp_path / "tiny" / "test"
    write_data_dir(data_dir, utterances)
    before = snapshot(tmp_path)
    remove_from_manifests(data_dir, {utterances[0].id})
    write_features(data_dir, EXPERIMENT.features)
    assert snapshot(tmp_path) == before


def test_removed_copies_leave_the_manifest_of_cuts(
    utterances: list[Utterance], tmp_path: Path
) -> None:
    data_dir = tmp_path / "tiny" / "train_copies"
    write_manifests(data_dir, utterances)
    path = manifest_path(data_dir, "cuts")
    recordings = RecordingSet.from_file(manifest_path(data_dir, "recordings"))
    CutSet.from_cuts(recording.to_cut() for recording in recordings).to_file(path)
    ids = [cut.id for cut in CutSet.from_file(path)]
    remove_from_manifests(data_dir, {ids[1]})
    assert [cut.id for cut in CutSet.from_file(path)] == [ids[0], *ids[2:]]
