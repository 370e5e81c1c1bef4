"""Philippe Remy's Deep Speaker: imported, it gives what its layers give in NumPy."""

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

import import_checkpoint
from deep_speaker.config import Experiment, read_experiment
from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.features.shards import analyse
from deep_speaker.networks.checkpoints import load_checkpoint, load_network
from deep_speaker.networks.registry import build_network
from deep_speaker.networks.speaker_network import EmbeddingNetwork
from deep_speaker.published.importing import import_weights
from support.experiment_files import CONF
from support.keras_layers import make_weights, read_weights, run_rescnn, write_weights
from support.speech import make_speech
from support.tiny_data import write_experiment

CONFIG = CONF / "deep_speaker_published.yaml"
NAME = "ResCNN_triplet_training_checkpoint_265.h5"
CHANNELS = (3, 4, 5, 6)
DAMAGED = r"not an HDF5 file of Keras, or damaged \(OSError\)"
FOLDER = os.environ.get("PUBLISHED_MODELS")
FRONT_END = {"front_end": "python_speech_features"}
PUBLISHED = next(Path(FOLDER).rglob(NAME), None) if FOLDER else None


def make_config(**network: Any) -> Experiment:
    experiment = read_experiment(CONFIG).model_dump()
    experiment["network"] |= {"channels": CHANNELS, "embedding_dim": 7} | network
    return Experiment.model_validate(experiment)


def import_network(path: Path, experiment: Experiment) -> EmbeddingNetwork:
    network = build_network(experiment)
    network.load_state_dict(import_weights(path, experiment).network)
    return network.eval()


def random_frames(num_frames: int) -> np.ndarray:
    rng = np.random.default_rng(num_frames)
    return rng.standard_normal((num_frames, 64)).astype(np.float32)


def embed_in_float32(network: EmbeddingNetwork, pieces: list[np.ndarray]) -> np.ndarray:
    """Embed pieces of any lengths in one batch, not in bfloat16 where the processor has it."""
    sequences = [torch.from_numpy(piece) for piece in pieces]
    padded = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
    with torch.no_grad():
        return at_unit_length(network(padded, torch.tensor(list(map(len, pieces)))).numpy())


def test_an_imported_network_embeds_as_keras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = make_weights(CHANNELS, 7)
    model = write_weights(tmp_path / "published.h5", weights)
    experiment = make_config()
    output = tmp_path / "exp/best.pt"
    config = write_experiment(tmp_path / "mine.yaml", experiment)
    arguments = ["import_checkpoint.py", "--config", config, model, output]
    monkeypatch.setattr("sys.argv", list(map(str, arguments)))
    import_checkpoint.main()

    assert load_checkpoint(output).phase == "initial_model"
    network = load_network(output, experiment).double()  # rounding aside
    for num_frames in (160, 159, 158, 157, 81, 16, 2, 1):  # of all parities in the stages
        frames = random_frames(num_frames)
        expected = run_rescnn(weights, frames, CHANNELS)
        with torch.no_grad():
            found = network(torch.from_numpy(frames)[None].double())[0].numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
        assert expected.std() > 0.5  # a comparison that means something


def test_utterances_of_several_lengths_embed_together_as_keras(tmp_path: Path) -> None:
    weights = make_weights(CHANNELS, 7)
    network = import_network(write_weights(tmp_path / "m.h5", weights), make_config())
    pieces = [random_frames(count) for count in (31, 32, 33, 34, 1, 2, 50, 35)]
    expected = [run_rescnn(weights, frames, CHANNELS) for frames in pieces]
    found = embed_in_float32(network, pieces)
    np.testing.assert_allclose(found, at_unit_length(np.stack(expected)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("root", ["/", "model_weights/ResCNN"])
def test_every_form_of_file_is_read(root: str, tmp_path: Path) -> None:
    """Of weights alone, and of a network within a network; training's layers are left out."""
    weights = make_weights(CHANNELS, 7)
    head = {"dense/kernel": np.ones((7, 9)), "dense/bias": np.ones(9)}
    path = write_weights(tmp_path / "m.h5", {**weights, **head}, root)
    with h5py.File(path, "a") as file:
        file["optimizer_weights/SGD/iter:0"] = 3
    state = import_weights(path, make_config()).network
    kernel = weights["res2_1_branch_2b/kernel"].transpose(3, 2, 0, 1)
    np.testing.assert_array_equal(state["trunk.8.layers.2.0.weight"], kernel)
    np.testing.assert_array_equal(state["affine.weight"], weights["affine/kernel"].T)
    assert state["trunk.0.1.num_batches_tracked"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", r"missing: conv5-s_bn/beta, affine/bias"),
        ("deeper", r"unexpected: conv7-s/bias"),
        ("wider", r"affine/kernel \(24, 8\) makes \(8, 24\), not \(7, 24\)"),
    ],
)
def test_weights_that_do_not_fit_are_named(change: str, message: str, tmp_path: Path) -> None:
    weights = make_weights(CHANNELS, 7)
    if change == "missing":
        del weights["affine/bias"], weights["conv5-s_bn/beta"]
    elif change == "deeper":
        weights["conv7-s/bias"] = np.zeros(7)
    else:
        weights["affine/kernel"] = np.zeros((24, 8))
    write_weights(tmp_path / "m.h5", weights)
    remedy = r"name the config it was published with, such as conf/deep_speaker_published\.yaml$"
    with pytest.raises(ValueError, match=rf"/m\.h5: rescnn .*{message}: {remedy}") as error:
        import_weights(tmp_path / "m.h5", make_config())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file: name another, or fetch or make it anew"),
        ("text", rf"{DAMAGED}: name another, or fetch or make it anew"),
        ("cut", rf"{DAMAGED}: name another, or fetch or make it anew"),
        ("empty", "holds no layer of .* by Keras, but none: name another file, or the config .*"),
        ("other", "holds no layer of .* by Keras, but dense, lstm: name another file, or .*"),
    ],
)
def test_a_file_without_these_weights_is_refused(kind: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    if kind == "text":
        path.write_text("a model\n")
    elif kind == "cut":
        whole = write_weights(path, make_weights(CHANNELS, 7)).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "empty":
        write_weights(path, {})
    elif kind == "other":
        write_weights(path, {"lstm/kernel": np.ones(3), "dense/bias": np.ones(3)})
    with pytest.raises(ValueError, match=rf"/m\.h5: {message}$"):
        import_weights(path, make_config())


def test_another_variant_is_refused(tmp_path: Path) -> None:
    path = write_weights(tmp_path / "m.h5", make_weights(CHANNELS, 7))
    with pytest.raises(ValueError, match=r"^network rescnn of variant paper .*variant to keras"):
        import_weights(path, make_config(variant="paper"))
    with pytest.raises(ValueError, match=r"^network\.channels \[3, 4, 4\]: .*different"):
        import_weights(path, make_config(channels=[3, 4, 4]))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"features": {"front_end": "kaldi"}, "voice_activity": {}},
         "features.front_end python_speech_features, not kaldi: "),
        ({"features": FRONT_END | {"sampling_rate": 8000}},
         "features.sampling_rate 16000, not 8000: --set features.sampling_rate=16000, or "),
        ({"features": FRONT_END | {"frame_shift_ms": 5}},
         "features.frame_shift_ms 10, not 5.0: --set features.frame_shift_ms=10, or "),
        ({"features": FRONT_END | {"frame_length_ms": 20}},
         "features.frame_length_ms 25, not 20.0: --set features.frame_length_ms=25, or "),
        ({"features": FRONT_END | {"fft_length": 1024}},
         "features.fft_length 512, not 1024: --set features.fft_length=512, or "),
        ({"features": FRONT_END | {"num_mels": 80}},
         "features.num_mels 64, not 80: --set features.num_mels=64, or "),
        ({"normalisation": {}},
         "normalisation.mean none, not utterance, normalisation.scale 1, not utterance: "
         "--set normalisation.mean=none --set normalisation.scale=1, or "),
    ],
    ids=str,
)  # fmt: skip
def test_other_frames_than_those_of_the_training_are_refused(
    changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = write_weights(tmp_path / "m.h5", make_weights(CHANNELS, 7))
    with pytest.raises(ValueError, match="trained with") as error:
        import_weights(path, Experiment.model_validate(make_config().model_dump() | changed))
    remedy = "name conf/deep_speaker_published.yaml, or what is based on it"
    assert str(error.value) == f"{path}: trained with {message}{remedy}"


def test_untrimmed_frames_and_any_compression_are_taken_the_first_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_weights(tmp_path / "m.h5", make_weights(CHANNELS, 7))
    content = make_config().model_dump() | {"features": FRONT_END | {"compression": "two_byte"}}
    import_weights(path, Experiment.model_validate(content))
    assert not caplog.messages
    import_weights(path, Experiment.model_validate(content | {"voice_activity": {}}))
    (line,) = caplog.messages
    assert "voice_activity keeps other frames" in line


@pytest.mark.skipif(not PUBLISHED, reason=f"PUBLISHED_MODELS names no folder that holds {NAME}")
def test_the_published_weights_embed_as_keras() -> None:
    """Recorded: the cosines of three synthetic voices."""
    assert PUBLISHED
    experiment = read_experiment(CONFIG)
    network = import_network(PUBLISHED, experiment)
    weights = read_weights(PUBLISHED)
    pieces = []
    for seed in range(3):
        frames, voiced = analyse([np.rint(make_speech(seed, 1.7) * 32768)], experiment)
        pieces.append(frames[voiced > 0][: 160 - seed])
    expected = np.stack([run_rescnn(weights, piece, (64, 128, 256, 512)) for piece in pieces])
    found = embed_in_float32(network, pieces)
    np.testing.assert_allclose(found, at_unit_length(expected), rtol=0, atol=1e-5)
    cosines = (found @ found.T)[np.triu_indices(3, 1)]
    np.testing.assert_allclose(cosines, [0.877487, 0.803059, 0.901351], rtol=0, atol=1e-4)
