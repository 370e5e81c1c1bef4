"""Weights of SpeechBrain's ECAPA-TDNN: imported, they give the numbers of its own code."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deep_speaker.config import Experiment, read_experiment
from deep_speaker.embeddings import extraction
from deep_speaker.embeddings.extraction import Extractor, extract
from deep_speaker.embeddings.settling import choose_precision
from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.embeddings.xvectors import read_unit_vectors
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.features.normalisation import cmvn_mean_and_deviation, cmvn_sums, normalise
from deep_speaker.features.shards import analyse
from deep_speaker.kaldi.audio import read_info
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.networks.checkpoints import save_checkpoint
from deep_speaker.networks.registry import build_network
from deep_speaker.networks.speaker_network import EmbeddingNetwork
from deep_speaker.published.importing import import_weights
from support.experiment_files import CONF
from support.make_speechbrain_numbers import NARROW, NUMBERS, SECONDS, waveform
from support.speech import write_audio
from support.threads import one_thread

__all__ = ["one_thread"]

ECAPA = CONF / "ecapa_tdnn.yaml"


def make_config(**settings: Any) -> Experiment:
    narrow = [f"network.{key}={value}" for key, value in NARROW.items()]
    return read_experiment(ECAPA, [], [*narrow, *(f"{k}={v}" for k, v in settings.items())])


def write_weights(folder: Path) -> Path:
    """Write the narrow network's weights as SpeechBrain does."""
    numbers = np.load(NUMBERS)
    names = [name for name in numbers if name.startswith("weight.")]
    state = {name.removeprefix("weight."): torch.from_numpy(numbers[name]) for name in names}
    torch.save(state, folder / "embedding_model.ckpt")
    return folder / "embedding_model.ckpt"


def load(path: Path, experiment: Experiment) -> EmbeddingNetwork:
    network = build_network(experiment)
    network.load_state_dict(import_weights(path, experiment).network)
    return network.eval()


@torch.inference_mode()
def embed(network: EmbeddingNetwork, experiment: Experiment, seed: int) -> torch.Tensor:
    """Embed a waveform as stages 1 and 4 do, in float32 on any processor."""
    frames, voiced = analyse([waveform(seed)], experiment)
    assert voiced.all()
    mean, deviation = cmvn_mean_and_deviation(cmvn_sums(frames))
    frames = normalise(frames, mean, deviation, experiment.normalisation)
    return network(torch.from_numpy(frames)[None])[0]


def assert_embeddings_are(name: str, path: Path, experiment: Experiment) -> None:
    network, numbers = load(path, experiment), np.load(NUMBERS)
    for seed in SECONDS:
        expected = torch.from_numpy(numbers[f"{name}_{seed}"])
        embedding = embed(network, experiment, seed)
        length = expected.norm()
        assert length > 10
        torch.testing.assert_close(embedding / length, expected / length, rtol=0, atol=1e-5)


def test_an_imported_network_embeds_as_speechbrains_own_code(tmp_path: Path) -> None:
    assert_embeddings_are("narrow", write_weights(tmp_path), make_config())


def test_the_published_network_embeds_as_speechbrains_own_code() -> None:
    folder = os.environ.get("PUBLISHED_MODELS")
    if not folder:
        pytest.skip("PUBLISHED_MODELS names no folder with embedding_model.ckpt of SpeechBrain")
    found = sorted(Path(folder).rglob("embedding_model.ckpt"))
    if not found:
        pytest.skip(f"{folder}, which PUBLISHED_MODELS names, has no embedding_model.ckpt below")
    assert_embeddings_are("published", found[0], read_experiment(ECAPA))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"features.num_mels": 40},
            "features.num_mels 80, not 40: --set features.num_mels=80, or ",
        ),
        (
            {"features.frame_shift_ms": 5},
            "features.frame_shift_ms 10, not 5.0: --set features.frame_shift_ms=10, or ",
        ),
        (
            {"features": "{front_end: kaldi, num_mels: 80}"},
            "features.front_end speechbrain, not kaldi: ",
        ),
        (
            {"normalisation.scale": 3},
            "normalisation.scale 1, not 3.0: --set normalisation.scale=1, or ",
        ),
        (
            {"normalisation": "{mean: chunk, scale: chunk}"},
            "normalisation.mean utterance, not chunk, normalisation.scale 1, not chunk: "
            "--set normalisation.mean=utterance --set normalisation.scale=1, or ",
        ),
    ],
    ids=str,
)
def test_other_frames_are_refused_in_one_line(
    settings: dict[str, Any], told: str, tmp_path: Path
) -> None:
    path = write_weights(tmp_path)
    with pytest.raises(ValueError, match="trained with") as error:
        import_weights(path, make_config(**settings))
    remedy = "name conf/ecapa_tdnn.yaml, or what is based on it"
    assert str(error.value) == f"{path}: trained with {told}{remedy}"


def test_a_detector_that_drops_frames_is_taken_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import_weights(write_weights(tmp_path), make_config())
    assert not caplog.messages
    import_weights(write_weights(tmp_path), make_config(voice_activity="{}"))
    (line,) = caplog.messages
    assert "voice_activity keeps other frames" in line
    assert "conf/ecapa_tdnn.yaml" in line


@pytest.mark.parametrize("way", ["cpu", "gpu"])
def test_the_recipe_embeds_as_speechbrains_own_code(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data directory, stage 1, import and extraction, also where bfloat16 is asked for."""
    experiment = make_config(**{"features.compression": "none"})
    utterances = []
    for seed in SECONDS:
        path = write_audio(tmp_path / f"audio/{seed}.wav", waveform(seed) / 32768)
        utterances.append(Utterance(f"s{seed}-0", f"s{seed}", str(path), read_info(path)))
    folder = tmp_path / "test"
    write_data_dir(folder, utterances)
    compute_data_dir(folder, experiment, 1)
    save_checkpoint(tmp_path / "best.pt", import_weights(write_weights(tmp_path), experiment))
    if way == "gpu":  # by the way that a GPU takes, gone here on the CPU
        monkeypatch.setattr(extraction, "in_processes", lambda device: False)
    extractor = Extractor(tmp_path / "best.pt", folder, experiment, torch.device("cpu"))
    assert choose_precision(extractor, "bfloat16") == extractor.precision == "float32"
    extract({tmp_path / "x": extractor}, 1)
    vectors = read_unit_vectors(tmp_path / "x")
    found = np.stack([vectors[f"s{seed}-0"] for seed in SECONDS])
    expected = np.stack([np.load(NUMBERS)[f"narrow_{seed}"] for seed in SECONDS])
    np.testing.assert_allclose(found, at_unit_length(expected), rtol=0, atol=1e-5)


def test_the_form_of_the_arks_is_free(tmp_path: Path) -> None:
    for compression in ("none", "two_byte"):
        experiment = make_config(**{"features.compression": compression})
        assert import_weights(write_weights(tmp_path), experiment).phase == "initial_model"


def test_weights_of_another_size_are_named_by_speechbrains_names(tmp_path: Path) -> None:
    message = r"ecapa_tdnn of the config .*: blocks\.0\.conv\.conv\.weight \(16, 80, 5\) makes"
    with pytest.raises(ValueError, match=message):
        import_weights(write_weights(tmp_path), make_config(**{"network.channels": 32}))


def test_a_file_without_weights_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "m.ckpt")
    with pytest.raises(ValueError, match=r"/m\.ckpt: .*embedding_model\.ckpt"):
        import_weights(tmp_path / "m.ckpt", make_config())
