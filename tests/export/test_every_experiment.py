"""The ONNX files of every experiment, and of the model that ships, embed as checkpoints do."""

import os
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from deep_speaker.config import read_experiment
from deep_speaker.kaldi.audio import load_audio, read_info
from deep_speaker.kaldi.wav_entries import wav_entry
from deep_speaker.networks.checkpoints import save_checkpoint
from deep_speaker.published.importing import import_weights
from support.experiment_files import CONF, CONFIGS
from support.exported import Compared, make_voices
from support.teachers import write_teacher

SPEECH_CORPORA = os.environ.get("SPEECH_CORPORA")
SMALL = CONF.parent / "models/small"
SECTIONS = {"features", "voice_activity", "normalisation", "network", "extraction"}


def distinct(configs: list[Path]) -> list[Path]:
    """Return the first of the experiments of one path from samples to an embedding."""
    by_path = {
        read_experiment(config).model_dump_json(include=SECTIONS): config
        for config in reversed(configs)
    }
    return sorted(by_path.values())


def experiments() -> list[ParameterSet]:
    """Return the experiments: the first of each network; the others with --full."""
    found: dict[str, list[ParameterSet]] = {}
    for config in distinct(CONFIGS):
        of_network = found.setdefault(read_experiment(config).network.name, [])
        marks = [pytest.mark.full] if of_network else []
        of_network.append(pytest.param(config, marks=marks, id=config.stem))
    return [each for of_network in found.values() for each in of_network]


@pytest.mark.slow
@pytest.mark.parametrize("config", experiments())
def test_the_file_of_an_experiment_embeds_as_its_checkpoint(config: Path, tmp_path: Path) -> None:
    compared = Compared(write_teacher(tmp_path / "best.pt", read_experiment(config)))
    for seconds in (1, 3, 30):
        assert compared.difference(make_voices(seconds)) < 1e-4


@pytest.mark.skipif(not SPEECH_CORPORA, reason="SPEECH_CORPORA names no folder of real speech")
def test_the_file_of_a_model_that_ships_embeds_real_speech_as_it_does(tmp_path: Path) -> None:
    weights = import_weights(SMALL, read_experiment(SMALL / "config.yaml"))
    save_checkpoint(tmp_path / "best.pt", weights)
    compared = Compared(tmp_path / "best.pt")
    recordings = sorted(Path(str(SPEECH_CORPORA), "an4/dev").rglob("*.flac"))[::50]
    assert recordings
    for recording in recordings:
        samples, _ = load_audio(wav_entry(recording, read_info(recording)), 16000)
        assert compared.difference(samples) < 1e-4
