"""The table of a network's layers: every parameter once, shapes in the order of computation."""

from pathlib import Path
from typing import Any

import pytest

import describe_network
from deep_speaker.networks.description import describe_layers, list_layers
from deep_speaker.networks.registry import build_network, count_parameters
from support.tiny_data import make_experiment, write_experiment
from support.tiny_networks import make_network


@pytest.mark.parametrize(
    "name",
    ["rescnn", "gru", "resnetse34", "resnetse34l", "vggvox40", "tdnn", "ecapa_tdnn",
     "window_average"],
)  # fmt: skip
def test_every_parameter_is_in_one_row(name: str) -> None:
    network = make_network(name, normalise=True, pooling="attentive_statistics")
    layers = list_layers(network, 90)
    assert sum(layer.num_parameters for layer in layers) == count_parameters(network)
    names = [layer.name for layer in layers]
    assert len(set(names)) == len(names)
    assert layers[0].kind == "InstanceNorm"
    assert layers[-1].kind == "Linear"
    assert layers[-1].shape == (8,)
    assert network.training  # as it was
    assert not any(module._forward_hooks for module in network.modules())


def test_shapes_are_those_of_the_utterance() -> None:
    network = build_network(make_experiment())
    rows = {layer.name: layer for layer in list_layers(network, 22)}
    assert rows["trunk.0.0"].shape == (4, 11, 8)  # channels, frames, bins
    assert rows["trunk.0.0"].num_parameters == 25 * 4
    assert rows["trunk.0.1"].kind == "BatchNorm2d"
    assert rows["pooling"].shape == (8 * 4,)
    assert list(rows)[-1] == "affine"


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(ValueError, match=r"62 .*63"):
        describe_layers(make_network("vggvox40"), 62)


@pytest.mark.parametrize("arguments", [[], ["--frames", "40"]])
def test_command_prints_the_table(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    config = write_experiment(tmp_path / "tiny.yaml", make_experiment())
    monkeypatch.setattr("sys.argv", ["describe_network.py", "--config", str(config), *arguments])
    describe_network.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "parameters"]
    frames = "20" if arguments else "12"  # of 40, or of a chunk's 24, after the first stride
    assert lines[1].split() == ["trunk.0.0", "TimeConv2d", "4", "x", frames, "x", "8", "100"]
    total = count_parameters(build_network(make_experiment()))
    assert lines[-3:] == [f"parameters: {total}", "embedding size: 8", "fewest frames: 1"]
