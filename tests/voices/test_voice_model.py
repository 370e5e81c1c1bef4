"""A model that answers, opened from its folder: the five lines that a program needs."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import deep_speaker
from deep_speaker.features.conditions import Conditions, write_conditions
from deep_speaker.voices.identification import identify
from deep_speaker.voices.loading import SHIPPED, find_folder
from deep_speaker.voices.speaker_files import Speaker
from deep_speaker.voices.voice_model import VoiceModel
from support.speech import RATE, make_speech, write_audio
from support.tiny_data import MELS
from support.voice_models import make_voice_model, unit, write_voice_model

SPEECH_CORPORA = os.environ.get("SPEECH_CORPORA")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voice_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def model(folder: Path) -> VoiceModel:
    return deep_speaker.load(folder, device="cpu")


def test_five_lines_of_python(folder: Path, tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", make_speech(1, 2.0))
    model = deep_speaker.load(folder)
    vector = model.embed(tmp_path / "a.wav")
    same = model.compare(tmp_path / "a.wav", str(tmp_path / "a.wav"))
    other = model.embed(make_speech(2, 2.0), rate=RATE)
    assert vector.shape == other.shape == (8,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert same.score == pytest.approx(1, abs=1e-5)
    assert same.same is True
    assert np.abs(vector - other).max() > 1e-4  # random weights tell voices, but hardly


def test_forms_of_one_recording_have_one_embedding(model: VoiceModel, tmp_path: Path) -> None:
    speech = make_speech(1, 2.0)
    stereo = np.stack([speech, make_speech(2, 2.0)], axis=1)
    expected = model.embed(write_audio(tmp_path / "a.wav", speech))
    for vector in (
        model.embed(np.round(speech * 32768).astype(np.int16), RATE),
        model.embed(write_audio(tmp_path / "a.flac", stereo)),
    ):
        assert vector @ expected > 0.99999


def test_scores_are_those_of_the_means_of_examples() -> None:
    scores = make_voice_model().score(
        [np.stack([unit(1, 0), unit(0, 1)]), unit(1, 0)[None]],
        np.stack([unit(1, 0), unit(0, 1), unit(-1, -1)]),
    )
    half = 2**-0.5
    np.testing.assert_allclose(scores, [[half, half, -1], [1, 0, -half]], atol=1e-6)


def test_the_id_is_of_weights_and_config(folder: Path, tmp_path: Path) -> None:
    copied = tmp_path / "another name"
    shutil.copytree(folder, copied)
    model_id = deep_speaker.load(folder).id
    assert deep_speaker.load(copied).id == model_id
    assert deep_speaker.load(write_voice_model(tmp_path / "written anew")).id == model_id
    config = copied / "config.yaml"
    config.write_text(config.read_text() + "\n")
    assert deep_speaker.load(copied).id != model_id


def test_a_recording_unlike_the_training_set_is_warned_of(folder: Path, tmp_path: Path) -> None:
    speech = make_speech(1, 2.0)
    mean_frame = deep_speaker.load(folder).embedder.mean_frame(speech * 32768)
    assert mean_frame is not None and mean_frame.shape == (MELS,)
    copied = tmp_path / "tiny"
    shutil.copytree(folder, copied)
    write_conditions(copied, Conditions(mean_frame.tolist(), [1.0] * MELS, 2.0))
    model = deep_speaker.load(copied)
    assert model.hear(speech, RATE).recording.warnings == []
    (warning,) = model.hear(0.1 * speech, RATE).recording.warnings  # 4.6 lower in the logarithm
    assert "unlike all that the model was trained on" in warning


def test_where_there_is_no_model_the_remedy_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{tmp_path}: no model there .*: name a model folder"):
        deep_speaker.load(tmp_path)


@pytest.mark.skipif(not SPEECH_CORPORA, reason="SPEECH_CORPORA names no folder of real speech")
@pytest.mark.skipif(
    not (SHIPPED / "decisions.json").is_file(), reason="the model that ships cannot decide yet"
)
def test_real_speakers_are_known_by_one_example() -> None:
    """Four of LibriSpeech are enrolled, and another two of their recordings named; a fifth is not.

    The fifth, of AN4, speaks another way into another microphone.
    """
    model = deep_speaker.load()
    sets = Path(str(SPEECH_CORPORA))
    people = sorted((sets / "LibriSpeech/test-other").iterdir())
    speakers, answers = [], []
    for person in people:
        vector = model.embed(min(person.rglob("*.flac")))
        speakers.append(Speaker(person.name, vector[None], ["a"], model.id, model.name))
    for person in people:
        for path in sorted(person.rglob("*.flac"))[1:3]:
            found = identify(model, speakers, model.embed(path))
            answers.append(found.candidates[0].name == person.name)
    assert answers == [True] * 8
    stranger = max((sets / "an4/dev").rglob("*.flac"), key=lambda path: path.stat().st_size)
    assert identify(model, speakers, model.embed(stranger)).name is None


def test_a_model_of_the_recipe_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_folder(Path("models/small")) == SHIPPED
