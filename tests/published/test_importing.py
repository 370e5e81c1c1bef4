"""Weights of voxceleb_trainer: imported, they give what a plain copy of its networks gives."""

from pathlib import Path
from typing import Any

import pytest
import torch

import import_checkpoint
from deep_speaker.config import Experiment, read_experiment
from deep_speaker.networks.checkpoints import load_checkpoint, load_network
from deep_speaker.published.importing import import_weights
from support.experiment_files import CONF
from support.published_front_end import stored_buffers
from support.published_networks import (
    State,
    make_state,
    run_plain,
)
from support.tiny_data import write_experiment

BINS = {"resnetse34": 257, "resnetse34l": 40, "vggvox40": 40}


def make_config(name: str, **network: Any) -> Experiment:
    experiment = read_experiment(CONF / f"{name}.yaml").model_dump()
    experiment["network"] |= network
    return Experiment.model_validate(experiment)


def whole_file(state: State, name: str = "resnetse34l") -> State:
    """Return a file as voxceleb_trainer writes it: with the loss and torchaudio's front end."""
    front_end = stored_buffers(torch.hann_window(400)) if BINS[name] == 40 else {}
    return {
        **{f"__S__.{key}": value for key, value in (state | front_end).items()},
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
    torch.save(whole_file(state, name), tmp_path / "published.model")
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
    network = import_weights(tmp_path / "published.model", make_config("resnetse34l")).network
    assert torch.equal(network["affine.weight"], state["fc.weight"])
    conv1 = state["layer2.0.conv1.weight"].transpose(2, 3)
    assert torch.equal(network["trunk.layer2.0.layers.conv1.weight"], conv1)
    assert torch.equal(network["trunk.bn1.running_var"], state["bn1.running_var"])
    assert network["trunk.bn1.num_batches_tracked"] == (0 if form == "old" else 1234)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", r": bn1\.bias, fc\.bias: "),
        ("unexpected", r": extra\.weight: "),
        ("shape", r": attention \(64, 1\) .*, not \(128, 1\): "),
        ("width", r": fc\.weight \(256, 128\) .*\(512, 128\): "),
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
    with pytest.raises(ValueError, match=r"/m\.model: resnetse34l ") as error:
        import_weights(tmp_path / "m.model", make_config("resnetse34l"))
    remedy = r"name the config it was published with, such as conf/resnetse34l\.yaml$"
    assert error.match(f"{message}.*{remedy}")


def test_weights_of_another_network_are_refused_in_one_short_line(tmp_path: Path) -> None:
    torch.save(whole_file(make_state("vggvox40")), tmp_path / "m.model")
    message = r"/m\.model: resnetse34l .*: conv1\.weight, .*: netcnn\.0\.weight, .* 37 more"
    with pytest.raises(ValueError, match=message) as error:
        import_weights(tmp_path / "m.model", make_config("resnetse34l"))
    assert len(str(error.value).removeprefix(str(tmp_path))) < 600


def test_networks_without_published_weights_are_refused(tmp_path: Path) -> None:
    content = make_config("resnetse34l").model_dump() | {"network": {"name": "gru"}}
    experiment = Experiment.model_validate(content)
    with pytest.raises(ValueError, match=r"network gru .*rescnn, resnetse34, "):
        import_weights(tmp_path / "m.model", experiment)


@pytest.mark.parametrize("kind", ["missing", "text", "list", "numbers"])
def test_a_file_without_weights_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "m.model"
    if kind == "text":
        path.write_text("a model\n")
    elif kind == "list":
        torch.save([1, 2], path)
    elif kind == "numbers":
        torch.save({"epoch": 3}, path)
    with pytest.raises(ValueError, match=r"/m\.model: .*: name another, or fetch or make it anew$"):
        import_weights(path, make_config("resnetse34l"))


UNLOGGED = {"log": False, "compression": "none"}


@pytest.mark.parametrize(
    ("name", "changed", "settings"),
    [
        ("resnetse34l", {"features": {"power": 1}}, ["features.power=2"]),
        ("resnetse34l", {"features": {"centred": False}}, ["features.centred=true"]),
        ("vggvox40", {"features": UNLOGGED}, ["features.log=true"]),
        ("vggvox40", {"features": {"frame_shift_ms": 5}}, ["features.frame_shift_ms=10"]),
        ("resnetse34", {"features": {"power": 2}}, ["features.power=1"]),
        ("resnetse34", {"features": {"centred": True}}, ["features.centred=false"]),
        ("resnetse34", {"features": {"log": True}}, ["features.log=false"]),
        ("resnetse34", {"features": {"num_mels": 40}}, ["features.num_mels=null"]),
        ("resnetse34", {"features": {"window": "hamming"}}, ["features.window=hann"]),
        *(
            (
                name,
                {"normalisation": {"mean": "utterance", "scale": 3}},
                ["normalisation.mean=chunk", "normalisation.scale=chunk"],
            )
            for name in BINS
        ),
    ],
    ids=str,
)
def test_other_frames_than_those_of_the_training_are_refused(
    name: str, changed: dict[str, Any], settings: list[str], tmp_path: Path
) -> None:
    content = make_config(name).model_dump()
    content["extraction"]["method"] = "crops"  # sample_crops demands a normalisation by itself
    for section, values in changed.items():
        content[section] |= values
    remedy = " ".join(f"--set {setting}" for setting in settings)
    message = rf"/m\.model: trained with .*: {remedy}, or name conf/{name}\.yaml, or what is based"
    with pytest.raises(ValueError, match=message):
        import_weights(tmp_path / "m.model", Experiment.model_validate(content))


@pytest.mark.parametrize("name", BINS)
def test_another_front_end_is_refused(name: str, tmp_path: Path) -> None:
    content = make_config(name).model_dump() | {"features": {"front_end": "kaldi"}}
    message = rf": trained with features\.front_end torchaudio, not kaldi: name conf/{name}\.yaml"
    with pytest.raises(ValueError, match=message):
        import_weights(tmp_path / "m.model", Experiment.model_validate(content))
