"""Front ends in stage 1: the files of one at a time."""

from pathlib import Path
from typing import Any

import lhotse
import numpy as np
import pytest
from lhotse import FeatureSet

from deep_speaker.config import Experiment, read_experiment
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.features.shards import analyse
from deep_speaker.features.source import check_features
from deep_speaker.kaldi.audio import load_audio
from deep_speaker.kaldi.tables import read_table
from support import kaldi_checks
from support.experiment_files import CONF
from support.speech import EXPERIMENT, make_speech, write_audio
from support.stage_1_folders import SCPS, audio_file, read_arrays


def with_torchaudio(**changes: Any) -> Experiment:
    """voxceleb_trainer's front end, every frame voiced."""
    features = {"front_end": "torchaudio"} | changes
    content = EXPERIMENT.model_dump() | {
        "features": features,
        "voice_activity": {"energy_threshold": -1000, "energy_mean_scale": 0},
        "normalisation": {"mean": "chunk", "scale": "chunk"},
    }
    if not features.get("log", True):
        content["pretraining"]["augmentation"] = content["finetuning"]["augmentation"] = {}
    return Experiment.model_validate(content)


def with_speechbrain() -> Experiment:
    """The front end of SpeechBrain, every frame voiced."""
    return read_experiment(CONF / "ecapa_tdnn.yaml")


SPECTRUM = {"num_mels": None, "power": 1, "centred": False, "log": False, "compression": "none"}


@pytest.mark.parametrize(("changes", "num_bins"), [({}, 40), (SPECTRUM, 257)])
def test_the_front_end_of_voxceleb_trainer(
    folder: Path, changes: dict[str, Any], num_bins: int
) -> None:
    experiment = with_torchaudio(**changes)
    too_short = audio_file(folder, "spk7-0")
    write_audio(too_short, make_speech(0)[:256])
    compute_data_dir(folder, experiment, 2)
    assert read_table(folder / "bad_utterances").keys() == {"spk7-0"}
    assert "too short: 256 samples" in read_table(folder / "bad_utterances")["spk7-0"]

    feats, voices, cmvn = (read_arrays(folder, name) for name in SCPS)
    for key, entry in read_table(folder / "wav.scp").items():
        spectrogram, _ = analyse([load_audio(entry, 16000)[0]], experiment)
        step = np.ptp(spectrogram) / 65535 if experiment.features.log else 0
        np.testing.assert_allclose(feats[key], spectrogram, rtol=0, atol=step)
        assert voices[key].tolist() == [1] * len(spectrogram)
        assert cmvn[key].shape == (2, num_bins + 1)
    assert kaldi_checks.validate(folder) == "valid"
    for item in FeatureSet.from_file(manifest_path(folder, "features")):
        lhotse.validate(item, read_data=True)
        assert (item.type, item.num_features) == ("torchaudio-spectrogram", num_bins)
        assert item.num_frames == len(feats[item.recording_id])


def test_the_front_end_of_speechbrain(folder: Path) -> None:
    experiment = with_speechbrain()
    compute_data_dir(folder, experiment, 2)
    feats, voices, _ = (read_arrays(folder, name) for name in SCPS)
    for key, entry in read_table(folder / "wav.scp").items():
        frames, _ = analyse([load_audio(entry, 16000)[0]], experiment)
        np.testing.assert_allclose(feats[key], frames, rtol=0, atol=80 / 65535)
        assert frames.min() >= frames.max() - 80
        assert voices[key].tolist() == [1] * len(frames)
    assert kaldi_checks.validate(folder) == "valid"
    for item in FeatureSet.from_file(manifest_path(folder, "features")):
        assert (item.type, item.num_features) == ("speechbrain-fbank", 80)


def test_only_the_options_of_the_last_front_end_stay(folder: Path) -> None:
    names = {
        EXPERIMENT: "fbank.conf",
        with_torchaudio(): "spectrogram.conf",
        read_experiment(CONF / "voice_embeddings.yaml"): "python_speech_features.conf",
        with_speechbrain(): "speechbrain_fbank.conf",
    }
    for experiment in (*names, EXPERIMENT):
        compute_data_dir(folder, experiment, 2)
        kept = {path.name for path in (folder / "conf").iterdir()}
        assert kept == {names[experiment], "vad.conf"}
        check_features(folder, experiment)
        for other in names.keys() - {experiment}:
            with pytest.raises(ValueError, match=f"/{names[other]} .*stage 1"):
                check_features(folder, other)
