"""The command prints a line about each good directory, and ends in one about a bad one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deep_speaker.kaldi.tables import read_table
from deep_speaker.trials.models import write_models
from support.tiny_xvectors import write_crops
from support.validated_folders import validate

ROOT = Path(__file__).parents[2]


def test_good_directories_have_a_line_each(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = sum(int(count) for count in read_table(folder / "data/test/utt2num_frames").values())
    validate(monkeypatch, folder / "data/test", folder / "plain/test", folder / "x")
    held = f"6 utterances, 3 speakers, 0.00 h, {frames} frames of 64 values, 3 trials in 1 lists"
    assert capsys.readouterr().out.splitlines() == [
        f"{folder}/data/test: {held}",
        f"{folder}/plain/test: {held}",
        f"{folder}/x: 6 x-vectors of 8 dimensions, 3 speakers, 18 crops",
    ]


def test_a_directory_before_stage_1_and_one_without_crops_are_good(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("feats.scp", "vad.scp", "utt_cmvn.scp", "utt2num_frames", "trials"):
        (folder / "data/test" / name).unlink()
    for name in ("spk2utt", "xvector_crops.scp"):
        (folder / "x" / name).unlink()
    validate(monkeypatch, folder / "data/test", folder / "x")
    printed = capsys.readouterr().out
    assert "6 utterances, 3 speakers, 0.00 h\n" in printed
    assert "6 x-vectors of 8 dimensions, 3 speakers\n" in printed


def test_a_model_has_a_name_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_models(folder / "data/test", {"model": ["spk0-0"], "spk1-0": ["spk1-1"]})
    with pytest.raises(ValueError, match=r"/enroll_spk2utt, line 2: 'spk1-0'"):
        validate(monkeypatch, folder / "data/test")


def test_trials_of_one_kind_are_good_without_training_speakers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trials = folder / "data/test/trials"
    trials.write_text(trials.read_text().replace(" target", " nontarget"))
    validate(monkeypatch, folder / "data/test")
    (line,) = caplog.messages
    assert line.startswith(f"{trials}: 0 target and 3 nontarget trials: error rates, which need")
    (folder / "data/train").mkdir()
    with pytest.raises(ValueError, match=r"/trials: 0 target and 3 nontarget .*: add the other$"):
        validate(monkeypatch, folder / "data/test")


def test_utterances_have_equally_many_crops(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = list(read_table(folder / "x/xvector.scp"))
    crops = [(key, np.ones((3 - (key == keys[4]), 8), np.float32)) for key in keys]
    write_crops(folder / "x", crops)
    with pytest.raises(ValueError, match=r"/xvector_crops.scp, line 5: .*\b2 .*\b3: .*stage 4"):
        validate(monkeypatch, folder / "x")


def test_the_command_ends_in_one_line_and_loads_no_torch(folder: Path) -> None:
    program = ROOT / "pyscripts/validate_data_dir.py"
    (folder / "data/test/vad.scp").unlink()
    result = subprocess.run(
        [sys.executable, "-X", "importtime", program, folder / "x", folder / "data/test"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stdout.startswith(f"{folder}/x: 6 x-vectors")
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"validate_data_dir.py: error: {folder}/data/test/vad.scp ")
    imported = {line.split("|")[-1].strip() for line in result.stderr.splitlines()}
    assert "numpy" in imported
    assert not imported & {"torch", "scipy", "lhotse"}


def test_a_missing_folder_and_an_empty_one_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="/nowhere: "):
        validate(monkeypatch, tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"/utt2spk .*stage 0"):
        validate(monkeypatch, tmp_path)
