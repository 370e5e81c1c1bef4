"""Weights of SpeechBrain's ECAPA-TDNN: imported, they give the numbers of its own code."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deep_speaker.config import Experiment, read_experiment
from deep_speaker.features.normalisation import cmvn_mean_and_deviation, cmvn_sums, normalise
from deep_speaker.features.shards import analyse
from deep_speaker.networks.registry import build_network
from deep_speaker.networks.speaker_network import EmbeddingNetwork
from deep_speaker.published.importing import import_weights
from support.experiment_files import CONF
from support.make_speechbrain_numbers import NARROW, NUMBERS, SECONDS, waveform

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
    frames, voiced = analyse(waveform(seed), experiment)
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
    "settings",
    [
        {"features.num_mels": 40},
        {"features.frame_shift_ms": 5},
        {"features": "{front_end: kaldi, num_mels: 80}"},
        {"normalisation.scale": 3},
        {"normalisation": "{mean: chunk, scale: chunk}"},
    ],
    ids=str,
)
def test_another_front_end_is_refused_in_one_line(settings: dict[str, Any], tmp_path: Path) -> None:
    message = r"/embedding_model\.ckpt: .*speechbrain, num_mels: 80.*conf/ecapa_tdnn\.yaml"
    with pytest.raises(ValueError, match=message) as error:
        import_weights(write_weights(tmp_path), make_config(**settings))
    assert "\n" not in str(error.value)


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
