"""Stage 1: every kind of file a folder may hold, any number of jobs."""

import logging
import re
import shutil
import sys
from pathlib import Path

import kaldi_native_io
import numpy as np
import pytest
from lhotse import FeatureSet, RecordingSet, SupervisionSet

import compute_features
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.features.shards import analyse
from deep_speaker.kaldi.audio import load_audio
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.trials import lists
from deep_speaker.trials.lists import Trial, read_trials
from support import kaldi_checks
from support.speech import EXPERIMENT, make_speech, make_utterances, write_audio
from support.stage_1_folders import (
    BAD,
    ODD,
    SCPS,
    TABLES,
    audio_file,
    make_bad,
    read_arrays,
    read_everything,
    without_shards,
)


def test_good_files_of_every_kind_are_processed_and_bad_ones_leave_everything(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = read_table(folder / "wav.scp")
    pairs_before = read_trials(folder / "trials")
    make_bad(folder)
    for utterance, change in ODD.items():
        change(audio_file(folder, utterance))
    with caplog.at_level(logging.INFO):
        compute_data_dir(folder, EXPERIMENT, 2)

    bad = read_table(folder / "bad_utterances")
    assert bad.keys() == BAD.keys()
    for utterance, (reason, _) in BAD.items():
        assert reason in bad[utterance]
        assert reason == "silent" or f"{utterance}: {bad[utterance]}" in caplog.text
    assert "3 of 80 utterances are bad" in caplog.text
    assert "1 of 80 utterances are silent" in caplog.text
    for notice in ("8000 .*16000 Hz.* 4000 Hz", "96000 .*16000 Hz$", "2 channels"):
        assert re.search(f"{folder}: 1 of 80 recordings .*{notice}", caplog.text, re.MULTILINE)

    good = before.keys() - BAD.keys()
    for name in TABLES:
        assert read_table(folder / name).keys() == good, name
    assert kaldi_checks.validate(folder) == "valid"
    for path in lists.find_trial_lists(folder).values():
        assert not {key for trial in read_trials(path) for key in trial[:2]} & BAD.keys()
    assert read_trials(folder / "trials") == [
        trial for trial in pairs_before if good >= {trial.enroll, trial.test}
    ]
    assert anchors_are_whole(read_trials(folder / "trials_one_plus_99"))
    for kind, manifest in (("recordings", RecordingSet), ("supervisions", SupervisionSet)):
        assert {item.id for item in manifest.from_file(manifest_path(folder, kind))} == good
    stored = FeatureSet.from_file(manifest_path(folder, "features"))
    assert {item.recording_id for item in stored} == good


def anchors_are_whole(one_plus_99: list[Trial]) -> bool:
    """Every anchor still has exactly its positive."""
    targets = [trial.enroll for trial in one_plus_99 if trial.target]
    return sorted(targets) == sorted({trial.enroll for trial in one_plus_99})


def test_the_arks_hold_what_the_audio_gives(folder: Path) -> None:
    compute_data_dir(folder, EXPERIMENT, 2)
    feats, voices, cmvn = (read_arrays(folder, name) for name in SCPS)
    num_frames = read_table(folder / "utt2num_frames")
    for key, entry in read_table(folder / "wav.scp").items():
        samples, info = load_audio(entry, 16000)
        filterbanks, voiced = analyse([samples], EXPERIMENT)
        assert len(filterbanks) == (info.num_samples + 80) // 160 == int(num_frames[key])
        step = np.ptp(filterbanks) / 65535
        np.testing.assert_allclose(feats[key], filterbanks, rtol=0, atol=step)
        np.testing.assert_array_equal(voices[key], voiced)
        assert voices[key].dtype == np.float32
        assert set(voices[key]) <= {0, 1}
        # Kaldi's apply-cmvn: mean and variance from sums, sums of squares and the count.
        chosen = filterbanks[voiced == 1].astype(np.float64)
        sums, squares = cmvn[key]
        assert sums[-1] == voiced.sum() > 0
        assert squares[-1] == 0
        np.testing.assert_allclose(sums[:-1] / sums[-1], chosen.mean(axis=0), rtol=1e-6)
        variance = squares[:-1] / sums[-1] - (sums[:-1] / sums[-1]) ** 2
        np.testing.assert_allclose(variance, chosen.var(axis=0), rtol=1e-3, atol=1e-4)
        assert cmvn[key].shape == (2, 65)
    assert float((folder / "frame_shift").read_text()) == 0.01
    assert "--num-mel-bins=64" in (folder / "conf/fbank.conf").read_text().split()
    assert "--vad-frames-context=2" in (folder / "conf/vad.conf").read_text().split()
    entry = read_table(folder / "utt_cmvn.scp")["spk0-0"]
    by_kaldi = kaldi_native_io.DoubleMatrix.read(entry).numpy()
    np.testing.assert_array_equal(by_kaldi, cmvn["spk0-0"])


def test_any_number_of_jobs_gives_the_same(folder: Path) -> None:
    make_bad(folder)
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    compute_data_dir(folder, EXPERIMENT, 1)
    compute_data_dir(copy, EXPERIMENT, 3)
    assert sorted(path.name for path in (folder / "fbank").glob("feats.*.ark")) == [
        "feats.1.ark", "feats.2.ark"
    ]  # fmt: skip
    for path in (folder / "fbank").glob("*.ark"):
        assert path.read_bytes() == (copy / "fbank" / path.name).read_bytes()
    assert read_everything(folder) == read_everything(copy)
    assert read_table(folder / "bad_utterances") == read_table(copy / "bad_utterances")
    # Again, over what another number of jobs left.
    compute_data_dir(copy, EXPERIMENT, 2)
    assert read_everything(folder) == read_everything(copy)


def test_more_jobs_than_utterances_are_no_problem(tmp_path: Path) -> None:
    write_data_dir(tmp_path / "data", make_utterances(tmp_path / "audio", "spk", 2, 1))
    compute_data_dir(tmp_path / "data", EXPERIMENT, 8)
    assert len(read_table(tmp_path / "data" / "feats.scp")) == 2


def test_more_than_5_percent_bad_fail_and_leave_the_previous_features(folder: Path) -> None:
    compute_data_dir(folder, EXPERIMENT, 2)
    make_bad(folder)
    for utterance in ("spk0-0", "spk0-1"):
        audio_file(folder, utterance).unlink()
    before = without_shards(folder)
    with pytest.raises(ValueError, match=r"^5 of 80 utterances .*5%.*/bad_utterances") as error:
        compute_data_dir(folder, EXPERIMENT, 2)
    assert "\n" not in str(error.value)
    assert read_table(folder / "bad_utterances").keys() == BAD.keys() | {"spk0-0", "spk0-1"}
    after = without_shards(folder)
    del after["test/bad_utterances"]
    assert after == before

    for utterance in BAD.keys() | {"spk0-0", "spk0-1"}:
        suffix = "flac" if int(utterance[-1]) % 2 else "wav"
        speaker = utterance.split("-")[0]
        write_audio(folder.parent / "audio" / speaker / f"{utterance[-1]}.{suffix}", make_speech(9))
    compute_data_dir(folder, EXPERIMENT, 2)
    assert not (folder / "bad_utterances").exists()


def test_samples_that_are_no_numbers_are_bad(folder: Path) -> None:
    path = audio_file(folder, "spk1-0")
    samples = make_speech(0)
    samples[100] = np.nan
    write_audio(path, samples, subtype="FLOAT")
    compute_data_dir(folder, EXPERIMENT, 2)
    assert "finite" in read_table(folder / "bad_utterances")["spk1-0"]


def test_the_list_of_bad_utterances_outlives_a_second_run(folder: Path) -> None:
    """They have left wav.scp: without the list nobody would know what became of them."""
    make_bad(folder)
    compute_data_dir(folder, EXPERIMENT, 2)
    compute_data_dir(folder, EXPERIMENT, 2)
    assert read_table(folder / "bad_utterances").keys() == BAD.keys()


def test_the_command_works_on_several_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("train", "test"):
        write_data_dir(tmp_path / name, make_utterances(tmp_path / "audio" / name, name, 2, 2))
    monkeypatch.chdir(tmp_path)
    config = Path(compute_features.__file__).parents[1] / "conf/embedded.yaml"
    words = ["compute_features.py", "--config", str(config), "--nj", "2", "train", "test"]
    monkeypatch.setattr(sys, "argv", words)
    compute_features.main()
    for name in ("train", "test"):
        entries = read_table(tmp_path / name / "feats.scp")
        assert set(entries) == {f"{name}{i}-{j}" for i in (0, 1) for j in (0, 1)}
        # Absolute, though the directories were named by relative paths.
        assert all(entry.startswith(f"{tmp_path}/{name}/fbank/") for entry in entries.values())
    monkeypatch.setattr(sys, "argv", [*words[:-2], "nowhere"])
    with pytest.raises(ValueError, match=r"^nowhere/wav\.scp .*stage 0"):
        compute_features.main()


def test_silence_is_no_fault_of_the_files_up_to_a_half(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = sorted(read_table(folder / "wav.scp"))
    for key in keys[:40]:
        write_audio(audio_file(folder, key), np.zeros(4000))
    before = without_shards(folder)
    write_audio(audio_file(folder, keys[40]), np.zeros(4000))
    with pytest.raises(ValueError, match=rf"^{folder}: 41 of 80 utterances .*energy_threshold"):
        compute_data_dir(folder, EXPERIMENT, 2)
    assert len(read_table(folder / "bad_utterances")) == 41
    (folder / "bad_utterances").unlink()
    after = without_shards(folder)
    assert {name for name in after if after[name] != before[name]} == {
        audio_file(folder, keys[40]).relative_to(folder.parent).as_posix()
    }
    write_audio(audio_file(folder, keys[40]), make_speech(5))
    compute_data_dir(folder, EXPERIMENT, 2)
    assert "40 of 80 utterances are silent" in caplog.text
    assert read_table(folder / "bad_utterances") == dict.fromkeys(
        keys[:40], "silent: no voiced frame"
    )
    assert read_table(folder / "feats.scp").keys() == set(keys[40:])
