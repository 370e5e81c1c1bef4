"""Files, tables and manifests as real people have them, through stages 0 and 1."""

import importlib
import logging
import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from lhotse import load_manifest, validate
from lhotse.audio.utils import AudioLoadingError
from lhotse.qa import validate_recordings_and_supervisions

from deep_speaker.config import read_experiment
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.audio import load_audio
from deep_speaker.kaldi.tables import read_table
from deep_speaker.validation.data_dirs import validate_data_dir
from support import kaldi_checks
from support.preparation import run_main
from support.real_inputs import CASES

EXPERIMENT = read_experiment(Path(__file__).parents[1] / "support/tiny.yaml")
PARTS = ("train", "test")


@pytest.mark.parametrize("name", CASES)
def test_what_a_user_has_is_taken_or_refused_with_the_cause(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    case, data = CASES[name], tmp_path / "data"
    words = case.build(tmp_path)
    if name == "relative_paths":
        monkeypatch.chdir(tmp_path)
    program = importlib.import_module(f"prepare_{case.corpus}")
    try:
        with caplog.at_level(logging.INFO):
            run_main(monkeypatch, program, data, "--nj", "1", *words)
            parts = [data / part for part in PARTS if (data / part).is_dir()]
            if case.between:
                case.between(data)
            for folder in parts:
                compute_data_dir(folder, EXPERIMENT, 1)
    except ValueError as error:
        assert case.left is None, error
        assert matches(case.says, str(error)), error
        assert "\n" not in str(error)
        return
    assert case.left is not None, "it was taken"
    assert matches(case.says, caplog.text), caplog.text
    assert sum(len(read_table(folder / "utt2spk")) for folder in parts) == case.left
    for folder in parts:
        check_whole(folder)


def matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.DOTALL) is not None


def check_whole(folder: Path) -> None:
    """The set is one that Kaldi accepts, and Lhotse; audio is as long as the tables say."""
    assert kaldi_checks.validate(folder) == "valid"
    validate_data_dir(folder)
    recordings, supervisions, features = (
        load_manifest(manifest_path(folder, kind))
        for kind in ("recordings", "supervisions", "features")
    )
    validate_recordings_and_supervisions(recordings, supervisions)
    validate(features, read_data=True)
    channels = {item.recording_id: item.channel for item in supervisions}
    durations, entries = read_table(folder / "reco2dur"), read_table(folder / "wav.scp")
    for recording in recordings:
        assert float(durations[recording.id]) == pytest.approx(recording.duration, abs=1e-6)
        samples, _ = load_audio(entries[recording.id], recording.sampling_rate)
        assert len(samples) == recording.num_samples
        with suppress(AudioLoadingError):  # Lhotse does not read GSM, and SPHERE by sph2pipe
            of_lhotse = recording.load_audio(channels=channels[recording.id])
            assert np.abs(of_lhotse[0] * 32768 - samples).max() < 1
