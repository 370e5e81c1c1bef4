"""Models of voxceleb_trainer: imported, they give what a plain copy of its networks gives."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import import_checkpoint
from deep_speaker.checkpoints import load_checkpoint, load_network
from deep_speaker.config import Experiment
from deep_speaker.published import import_model
from tiny_data import write_experiment

BINS = {"resnetse34": 257, "resnetse34l": 40, "vggvox40": 40}
State = dict[str, Tensor]
WIDTHS, BLOCKS = (16, 32, 64, 128), (3, 4, 6, 3)
# Index in `netcnn`, (inputs, outputs, height, width), stride and padding over (bins, frames).
VGG = (
    (0, (1, 96, 5, 7), (1, 2), (2, 2)),
    (4, (96, 256, 5, 5), (2, 2), (1, 1)),
    (8, (256, 384, 3, 3), (1, 1), (1, 1)),
    (11, (384, 256, 3, 3), (1, 1), (1, 1)),
    (14, (256, 256, 3, 3), (1, 1), (1, 1)),
    (18, (256, 512, 4, 1), (1, 1), (0, 0)),
)
VGG_POOLS = {0: ((1, 3), (1, 2)), 4: ((3, 3), (2, 2)), 14: ((3, 3), (2, 2))}


def make_config(name: str, **network: Any) -> Experiment:
    return Experiment.model_validate(
        {
            "features": {"front_end": "torchaudio", "num_mels": None if BINS[name] == 257 else 40},
            "normalisation": {"mean": "chunk", "scale": "chunk"},
            "network": {"name": name} | network,
            "pretraining": {"loss": {"name": "softmax"}},
        }
    )


# A plain copy of the networks: a state dict by the names of voxceleb_trainer, and its forward pass.


def make_state(name: str, pooling: str = "self_attentive") -> State:
    """Random weights and running statistics, by the names of voxceleb_trainer."""
    torch.manual_seed(7)
    state: State = {}

    def add_weight(key: str, *shape: int) -> None:
        state[key] = torch.randn(*shape) / max(1, state_fan_in(shape)) ** 0.5

    def add_norm(key: str, channels: int) -> None:
        state[f"{key}.weight"] = torch.rand(channels) + 0.5
        state[f"{key}.bias"] = torch.randn(channels) / 3
        state[f"{key}.running_mean"] = torch.randn(channels) / 3
        state[f"{key}.running_var"] = torch.rand(channels) + 0.3
        state[f"{key}.num_batches_tracked"] = torch.tensor(1234)

    if name == "vggvox40":
        for index, (inputs, outputs, height, width), _, _ in VGG:
            add_weight(f"netcnn.{index}.weight", outputs, inputs, height, width)
            add_weight(f"netcnn.{index}.bias", outputs)
            add_norm(f"netcnn.{index + 1}", outputs)
        dim = 512
    else:
        add_weight("conv1.weight", 16, 1, 7, 7)
        add_norm("bn1", 16)
        inputs = 16
        for layer, (width, blocks) in enumerate(zip(WIDTHS, BLOCKS, strict=True), 1):
            for block in range(blocks):
                key = f"layer{layer}.{block}"
                add_weight(f"{key}.conv1.weight", width, inputs, 3, 3)
                add_norm(f"{key}.bn1", width)
                add_weight(f"{key}.conv2.weight", width, width, 3, 3)
                add_norm(f"{key}.bn2", width)
                add_weight(f"{key}.se.fc.0.weight", width // 8, width)
                add_weight(f"{key}.se.fc.0.bias", width // 8)
                add_weight(f"{key}.se.fc.2.weight", width, width // 8)
                add_weight(f"{key}.se.fc.2.bias", width)
                if layer > 1 and block == 0:
                    add_weight(f"{key}.downsample.0.weight", width, inputs, 1, 1)
                    add_norm(f"{key}.downsample.1", width)
                inputs = width
        dim = 128
    if "attentive" in pooling:
        add_weight("sap_linear.weight", dim, dim)
        add_weight("sap_linear.bias", dim)
        add_weight("attention", dim, 1)
    add_weight("fc.weight", 512, 2 * dim if pooling == "attentive_statistics" else dim)
    add_weight("fc.bias", 512)
    return state


def state_fan_in(shape: tuple[int, ...]) -> int:
    return int(torch.tensor(shape[1:]).prod()) if len(shape) > 1 else 9


def norm(state: State, key: str, maps: Tensor) -> Tensor:
    mean, variance = state[f"{key}.running_mean"], state[f"{key}.running_var"]
    scale = state[f"{key}.weight"] / torch.sqrt(variance + 1e-5)
    shift = state[f"{key}.bias"] - mean * scale
    return maps * scale[:, None, None] + shift[:, None, None]


def run_block(state: State, key: str, maps: Tensor, stride: int) -> Tensor:
    out = norm(
        state, f"{key}.bn1", F.conv2d(maps, state[f"{key}.conv1.weight"], None, stride, 1).relu()
    )
    out = norm(state, f"{key}.bn2", F.conv2d(out, state[f"{key}.conv2.weight"], None, 1, 1))
    hidden = F.linear(
        out.mean((2, 3)), state[f"{key}.se.fc.0.weight"], state[f"{key}.se.fc.0.bias"]
    )
    gates = F.linear(hidden.relu(), state[f"{key}.se.fc.2.weight"], state[f"{key}.se.fc.2.bias"])
    out = out * gates.sigmoid()[:, :, None, None]
    if f"{key}.downsample.0.weight" in state:
        maps = F.conv2d(maps, state[f"{key}.downsample.0.weight"], None, stride)
        maps = norm(state, f"{key}.downsample.1", maps)
    return (out + maps).relu()


def run_trunk(name: str, state: State, maps: Tensor) -> Tensor:
    """Maps (batch, 1, bins, frames) to features (batch, frames, dim)."""
    if name == "vggvox40":
        for index, _, stride, padding in VGG:
            weight, bias = state[f"netcnn.{index}.weight"], state[f"netcnn.{index}.bias"]
            maps = norm(state, f"netcnn.{index + 1}", F.conv2d(maps, weight, bias, stride, padding))
            maps = maps.relu()
            if index in VGG_POOLS:
                maps = F.max_pool2d(maps, *VGG_POOLS[index])
        return maps[:, :, 0].transpose(1, 2)
    maps = norm(state, "bn1", F.conv2d(maps, state["conv1.weight"], None, (2, 1), 3)).relu()
    if name == "resnetse34":
        maps = F.max_pool2d(maps, 3, (2, 1), 1)
    for layer, blocks in enumerate(BLOCKS, 1):
        strides = (1, 2, 2, 2) if name == "resnetse34" else (1, 2, 2, 1)
        for block in range(blocks):
            first = block == 0
            maps = run_block(
                state, f"layer{layer}.{block}", maps, strides[layer - 1] if first else 1
            )
    return maps.mean(dim=2).transpose(1, 2)


def run_plain(name: str, pooling: str, state: State, spectrograms: Tensor) -> Tensor:
    """Spectrograms (batch, bins, frames) to embeddings."""
    mean = spectrograms.mean(dim=2, keepdim=True)
    variance = spectrograms.var(dim=2, keepdim=True, correction=0)
    features = run_trunk(name, state, ((spectrograms - mean) / (variance + 1e-5).sqrt())[:, None])
    if pooling == "average":
        pooled = features.mean(dim=1)
    elif pooling == "maximum":
        pooled = features.max(dim=1).values
    else:
        hidden = torch.tanh(features @ state["sap_linear.weight"].T + state["sap_linear.bias"])
        weights = (hidden @ state["attention"]).softmax(dim=1)
        pooled = (features * weights).sum(dim=1)
        if pooling == "attentive_statistics":
            moment = (features**2 * weights).sum(dim=1)
            pooled = torch.cat([pooled, (moment - pooled**2).clamp(min=1e-5).sqrt()], dim=1)
    return pooled @ state["fc.weight"].T + state["fc.bias"]


# The import


def whole_file(state: State) -> State:
    """A file as voxceleb_trainer writes it: with the loss and the front end."""
    return {
        **{f"__S__.{key}": value for key, value in state.items()},
        "__S__.torchfb.spectrogram.window": torch.ones(400),
        "__S__.torchfb.mel_scale.fb": torch.ones(257, 40),
        "__L__.w": torch.tensor(10.0),
        "__L__.b": torch.tensor(-5.0),
    }


@pytest.mark.parametrize(
    ("name", "pooling"),
    [
        ("resnetse34", "self_attentive"),
        ("resnetse34l", "self_attentive"),
        ("resnetse34l", "attentive_statistics"),
        ("vggvox40", "self_attentive"),
        ("vggvox40", "average"),
        ("vggvox40", "maximum"),
    ],
)
def test_an_imported_network_embeds_as_the_plain_one(
    name: str, pooling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = make_state(name, pooling)
    torch.save(whole_file(state), tmp_path / "published.model")
    experiment = make_config(name, pooling=pooling)
    config = write_experiment(tmp_path / "mine.yaml", experiment)
    output = tmp_path / "exp/best.pt"
    arguments = ["--config", config, tmp_path / "published.model", output]
    monkeypatch.setattr("sys.argv", ["import_checkpoint.py", *map(str, arguments)])
    import_checkpoint.main()

    checkpoint = load_checkpoint(output)
    assert (checkpoint.phase, checkpoint.epochs) == ("initial_model", 0)
    assert not (checkpoint.speakers or checkpoint.history or checkpoint.loss)
    network = load_network(output, experiment).double()  # rounding aside
    state = {key: value.double() for key, value in state.items()}
    for frames in (97, 200):
        spectrograms = torch.randn(2, BINS[name], frames, dtype=torch.float64) * 3 - 4
        expected = run_plain(name, pooling, state, spectrograms)
        with torch.no_grad():
            embeddings = network(spectrograms.transpose(1, 2))
        torch.testing.assert_close(embeddings, expected.float(), rtol=1e-5, atol=1e-6)
        assert expected.std() > 0.1  # a comparison that means something


@pytest.mark.parametrize("form", ["plain", "new", "legacy", "parallel", "old"])
def test_every_form_of_file_is_read(form: str, tmp_path: Path) -> None:
    state = make_state("resnetse34l")
    content: dict[str, Any] = dict(whole_file(state))
    if form == "new":
        content = {"model_state_dict": content, "optimizer_state_dict": {}, "epoch": 7}
    elif form == "legacy":
        content = {"model": state}
    elif form == "parallel":
        content = {f"module.{key}": value for key, value in content.items()}
    elif form == "old":
        content = {key: value for key, value in content.items() if "num_batches" not in key}
    torch.save(content, tmp_path / "published.model")
    network = import_model(tmp_path / "published.model", make_config("resnetse34l")).network
    assert torch.equal(network["affine.weight"], state["fc.weight"])
    conv1 = state["layer2.0.conv1.weight"].transpose(2, 3)
    assert torch.equal(network["trunk.layer2.0.layers.conv1.weight"], conv1)
    assert torch.equal(network["trunk.bn1.running_var"], state["bn1.running_var"])
    assert network["trunk.bn1.num_batches_tracked"] == (0 if form == "old" else 1234)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", r"missing: bn1\.bias, fc\.bias$"),
        ("unexpected", r"unexpected: extra\.weight$"),
        ("shape", r"of another shape: attention \(64, 1\) instead of \(128, 1\)$"),
        ("width", r"of another shape: fc\.weight \(256, 128\) instead of \(512, 128\)"),
    ],
)
def test_weights_that_do_not_fit_are_named(change: str, message: str, tmp_path: Path) -> None:
    state = make_state("resnetse34l")
    if change == "missing":
        del state["bn1.bias"], state["fc.bias"]
    elif change == "unexpected":
        state["extra.weight"] = torch.zeros(3)
    elif change == "shape":
        state["attention"] = state["attention"][:64]
    else:
        state["fc.weight"] = state["fc.weight"][:256]
    torch.save(whole_file(state), tmp_path / "m.model")
    with pytest.raises(ValueError, match=r"m\.model: resnetse34l of the config is not") as error:
        import_model(tmp_path / "m.model", make_config("resnetse34l"))
    assert error.match(message)


def test_a_model_of_another_network_is_refused_in_one_short_line(tmp_path: Path) -> None:
    torch.save(whole_file(make_state("vggvox40")), tmp_path / "m.model")
    with pytest.raises(ValueError, match=r"resnetse34l of the config .* missing: conv1\.weight"):
        import_model(tmp_path / "m.model", make_config("resnetse34l"))
    with pytest.raises(ValueError, match=r"unexpected: netcnn\.0\.weight, .* and 37 more") as error:
        import_model(tmp_path / "m.model", make_config("resnetse34l"))
    assert len(str(error.value).removeprefix(str(tmp_path))) < 600


def test_networks_without_published_weights_are_refused(tmp_path: Path) -> None:
    experiment = make_config("resnetse34l").model_copy(
        update={"network": Experiment.model_fields["network"].default}
    )
    with pytest.raises(ValueError, match="network rescnn: published weights are of resnetse34, "):
        import_model(tmp_path / "m.model", experiment)


@pytest.mark.parametrize("kind", ["missing", "text", "list", "numbers"])
def test_a_file_that_is_no_model_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "m.model"
    if kind == "text":
        path.write_text("a model\n")
    elif kind == "list":
        torch.save([1, 2], path)
    elif kind == "numbers":
        torch.save({"epoch": 3}, path)
    with pytest.raises(
        ValueError, match=r"m\.model: (no such model|not a file|holds no state dict)"
    ):
        import_model(path, make_config("resnetse34l"))
