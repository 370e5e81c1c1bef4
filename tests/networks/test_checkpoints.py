"""Checkpoints: read as written, and clear refusals of anything else."""

import errno
import io
import pickle
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from deep_speaker.losses.registry import build_loss
from deep_speaker.networks import checkpoints
from deep_speaker.networks.checkpoints import (
    Checkpoint,
    check_experiment,
    copy_state,
    load_checkpoint,
    load_network,
    save_checkpoint,
)
from deep_speaker.networks.registry import build_network
from deep_speaker.training.optimisers import build_optimiser
from support.tiny_data import make_experiment

TINY = make_experiment()


def make_checkpoint(epochs: int = 2) -> Checkpoint:
    """A network after a step of training, with its loss and optimiser."""
    network = build_network(make_experiment(seed=5))
    loss = build_loss(TINY.first_phase, TINY.network.embedding_dim, 3, seed=5)
    optimiser = build_optimiser(
        [*network.parameters(), *loss.parameters()], TINY.first_phase.optimiser
    )
    value, _ = loss(network(torch.randn(6, 20, TINY.features.num_bins)), torch.arange(6) % 3)
    value.backward()
    optimiser.param_groups[0]["lr"] = 0.1
    optimiser.step()
    return Checkpoint(
        experiment=TINY.model_dump(mode="json"),
        phase="pretraining",
        network=copy_state(network),
        loss=copy_state(loss),
        optimiser=optimiser.state_dict(),
        speakers=["anna", "bo", "Ünal"],
        epochs=epochs,
        history=[{"loss": 1.25, "held_out_eer_percent": 40.0}] * epochs,
    )


def assert_equal(first: Any, second: Any) -> None:
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_equal(first[key], second[key])
    elif isinstance(first, torch.Tensor):
        assert first.dtype == second.dtype
        assert torch.equal(first, second)
    else:
        assert first == second


def test_a_checkpoint_reads_as_written(tmp_path: Path) -> None:
    checkpoint = make_checkpoint()
    save_checkpoint(tmp_path / "new/last.pt", checkpoint)
    loaded = load_checkpoint(tmp_path / "new/last.pt")
    for name, value in vars(checkpoint).items():
        assert_equal(value, getattr(loaded, name))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["last.pt"]


def test_the_network_of_a_checkpoint_embeds_as_the_trained_one(tmp_path: Path) -> None:
    checkpoint = make_checkpoint()
    save_checkpoint(tmp_path / "best.pt", checkpoint)
    network = load_network(tmp_path / "best.pt", TINY)
    assert not any(module.training for module in network.modules())
    trained = build_network(TINY)
    trained.load_state_dict(checkpoint.network)
    fbanks = torch.randn(2, 30, TINY.features.num_bins)
    assert torch.equal(network(fbanks), trained.eval()(fbanks))


def test_an_interrupted_write_leaves_the_previous_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, make_checkpoint(1))

    def interrupted(_: object, file: Any) -> None:
        file.write(b"half a check")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, make_checkpoint(2))
    assert load_checkpoint(path).epochs == 1
    assert [found.name for found in tmp_path.iterdir()] == ["last.pt"]


class FullDisk(io.BytesIO):
    def write(self, data: Any) -> int:
        if self.tell() + len(data) > 10000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_a_full_disk_is_told_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To torch, it is an unexpected position in a file."""
    path = tmp_path / "last.pt"
    save_checkpoint(path, make_checkpoint(1))
    with monkeypatch.context() as patch, pytest.raises(OSError, match=f"space.*: '{path}'") as told:
        patch.setattr(checkpoints, "replacing_file", lambda *_: nullcontext(FullDisk()))
        save_checkpoint(path, make_checkpoint(2))
    assert told.value.errno == errno.ENOSPC
    assert load_checkpoint(path).epochs == 1


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused(share: float, tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    save_checkpoint(path, make_checkpoint())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"/best\.pt: "):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("network", [1]),
        ("network", {"trunk.0.0.weight": "1"}),
        ("loss", {"weight": 3}),
        ("speakers", "anna"),
        ("epochs", "2"),
        ("experiment", []),
        ("optimiser", None),
        ("phase", 2),
        ("history", {}),
    ],
)
def test_values_of_other_types_are_refused(key: str, value: object, tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    torch.save(vars(make_checkpoint()) | {key: value}, path)
    with pytest.raises(ValueError, match=r"/best\.pt: not a checkpoint of this project"):
        load_checkpoint(path)


def test_weights_of_another_network_than_the_checkpoint_s_own_are_refused(tmp_path: Path) -> None:
    path, checkpoint = tmp_path / "best.pt", make_checkpoint()
    name = next(iter(checkpoint.network))
    for weights in ({}, checkpoint.network | {name: torch.zeros(3)}):
        save_checkpoint(path, replace(checkpoint, network=weights))
        with pytest.raises(ValueError, match=rf"/best\.pt: .*{name if weights else ''}") as caught:
            load_network(path, TINY)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("place", "bit"), [(6, 64), (8, 1), (10, 8), (10, 64), (20, 8), (42, 1)])
def test_a_damaged_list_of_contents_is_refused(place: int, bit: int, tmp_path: Path) -> None:
    """Of the ZIP file that torch writes: version, flags, compression, size and place of a part."""
    path = tmp_path / "best.pt"
    save_checkpoint(path, make_checkpoint())
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + place] ^= bit
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"/best\.pt: "):
        load_checkpoint(path)


class Malicious:
    """Unpickled, it would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["text", "pickle", "state_dict", "list", "malicious"])
def test_a_foreign_file_is_refused_and_never_executed(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    if kind == "text":
        path.write_text("epoch 3: loss 0.2\n")
    elif kind == "pickle":
        path.write_bytes(pickle.dumps({"network": [1, 2, 3]}, protocol=2))
    elif kind == "state_dict":
        torch.save(make_checkpoint().network, path)
    elif kind == "list":
        torch.save([1, 2, 3], path)
    else:
        torch.save({"network": Malicious(tmp_path / "executed")}, path)
    with pytest.raises(ValueError, match=r"/best\.pt: "):
        load_checkpoint(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("phase", "stage"), [("pretraining", 2), ("finetuning", 3), ("pretraining_continued", 3)]
)
def test_a_missing_checkpoint_names_the_stage_that_makes_it(
    phase: str, stage: int, tmp_path: Path
) -> None:
    path = tmp_path / phase / "best.pt"
    with pytest.raises(ValueError, match=rf"{phase}/best\.pt .* stage {stage} "):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "changed",
    [
        {"network": {"channels": [4, 4]}},
        {"features": {"num_mels": 20}},
        {"normalisation": {"scale": 2}},
        {"voice_activity": {"energy_threshold": 6}},
    ],
)
def test_a_checkpoint_of_another_network_or_input_is_refused(changed: dict[str, Any]) -> None:
    (section,) = changed
    with pytest.raises(ValueError, match=f" {section} .* pretraining "):
        check_experiment(make_checkpoint(), make_experiment(**changed))


def test_training_options_may_differ_from_the_checkpoints() -> None:
    check_experiment(make_checkpoint(), make_experiment(pretraining={"epochs": 99}, seed=7))


def test_a_checkpoint_from_before_a_key_has_its_default() -> None:
    checkpoint = make_checkpoint()
    features = {"front_end": "torchaudio", "compression": "none", "num_mels": 40}
    experiment = make_experiment(features=features)
    checkpoint.experiment = experiment.model_dump(mode="json")
    del checkpoint.experiment["features"]["sample_scale"]
    check_experiment(checkpoint, experiment)
    with pytest.raises(ValueError, match="'sample_scale': 'int16'"):
        check_experiment(checkpoint, make_experiment(features=features | {"sample_scale": "int16"}))


def test_a_copied_state_does_not_follow_the_training() -> None:
    network = build_network(TINY)
    state = copy_state(network)
    before = {name: value.clone() for name, value in state.items()}
    network(torch.randn(4, 20, TINY.features.num_bins))  # moves the running statistics
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    assert_equal(state, before)


def test_a_checkpoint_made_before_a_key_came_fits_its_default() -> None:
    checkpoint = make_checkpoint()
    del checkpoint.experiment["voice_activity"]["detector"]
    del checkpoint.experiment["network"]["variant"]
    check_experiment(checkpoint, TINY)
    keras = TINY.network.model_copy(update={"variant": "keras"})
    with pytest.raises(ValueError, match=r"'variant': 'keras'.*'variant': 'paper'"):
        check_experiment(checkpoint, TINY.model_copy(update={"network": keras}))


def test_a_checkpoint_of_an_unknown_network_is_of_another_version() -> None:
    checkpoint = make_checkpoint()
    checkpoint.experiment["network"] = {"name": "transformer"}
    line = (
        r"^the pretraining checkpoint was made by another version \(network\.name: expected .*\): "
        r"make it anew, or use the version that made it$"
    )
    with pytest.raises(ValueError, match=line):
        check_experiment(checkpoint, TINY)


def test_the_first_mistake_of_another_version_is_told_in_a_short_line() -> None:
    checkpoint = make_checkpoint()
    checkpoint.experiment["pretraining"]["colour"] = "red"
    checkpoint.experiment["seed"] = ["many"] * 999
    line = r" version \(seed: Input should be a valid integer, .* \.\.\.\): make it anew"
    with pytest.raises(ValueError, match=line) as error:
        check_experiment(checkpoint, TINY)
    assert len(str(error.value)) < 400
