"""Model folders: what is written is read again; anything else is refused in one line."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from deep_speaker.config import Experiment, read_experiment
from deep_speaker.published.importing import import_weights
from deep_speaker.published.model_folder import write_model_folder
from support.model_folders import make_model, make_trained
from support.tiny_data import make_experiment

TINY = make_experiment()


@pytest.mark.parametrize("precision", ["float16", "float32"])
def test_a_folder_gives_back_the_network(precision: str, tmp_path: Path) -> None:
    trained = make_trained()
    write_model_folder(tmp_path / "m", trained, precision)
    experiment = read_experiment(tmp_path / "m/config.yaml")
    assert experiment == TINY
    read = import_weights(tmp_path / "m", experiment)
    assert (read.phase, read.speakers, read.loss) == ("initial_model", [], {})
    for name, weight in read.network.items():
        expected = trained.network[name]
        assert weight.dtype == expected.dtype
        if precision == "float16" and weight.dim() > 1:
            expected = expected.half().float()
        assert torch.equal(weight, expected), name


def test_half_precision_is_half_the_size_and_keeps_batch_norm(tmp_path: Path) -> None:
    half, whole = (
        load_file(make_model(tmp_path / name, name) / "weights.safetensors")
        for name in ("float16", "float32")
    )
    assert {weight.dtype for weight in whole.values()} == {torch.float32, torch.int64}
    halved = {name for name, weight in half.items() if weight.dtype == torch.float16}
    assert halved == {name for name, weight in whole.items() if weight.dim() > 1}
    assert any(name.endswith("running_var") for name in half.keys() - halved)


def test_the_file_says_its_version_network_and_phase(tmp_path: Path) -> None:
    content = (make_model(tmp_path / "m") / "weights.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    assert header["__metadata__"] == {
        "format_version": "1", "network": "rescnn", "phase": "finetuning",
    }  # fmt: skip


def test_weights_beyond_half_precision_are_not_written(tmp_path: Path) -> None:
    trained = make_trained()
    trained.network["affine.weight"][0, 0] = 1e6
    with pytest.raises(ValueError, match=r"not finite: affine\.weight: take --precision float32"):
        write_model_folder(tmp_path / "m", trained, "float16")
    assert not (tmp_path / "m").exists()
    write_model_folder(tmp_path / "m", trained, "float32")
    trained.network["affine.bias"][0] = torch.nan
    with pytest.raises(ValueError, match=r"float32: weights that are not finite: affine\.bias"):
        write_model_folder(tmp_path / "m", trained, "float32")


def edit_bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Return what changes the bytes of a file."""

    def edit(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return edit


def edit_weights(
    change: Callable[[dict[str, torch.Tensor]], Any], **metadata: str
) -> Callable[[Path], None]:
    """Return what changes the tensors of a file, and its metadata."""

    def edit(path: Path) -> None:
        weights = load_file(path)
        change(weights)
        known = {"format_version": "1", "network": "rescnn", "phase": "finetuning"}
        save_file(weights, path, known | metadata)

    return edit


def nothing(_: object) -> None:
    pass


def make_nan(weights: dict[str, torch.Tensor]) -> None:
    weights["affine.weight"][0, 0] = torch.nan


def transpose(weights: dict[str, torch.Tensor]) -> None:
    weights["affine.weight"] = weights["affine.weight"].T.contiguous()


BAD = {
    "missing": (Path.unlink, "no such file"),
    "empty": (edit_bytes(lambda _: b""), "damaged"),
    "text": (lambda path: path.write_text("a model\n"), "damaged"),
    "long header": (edit_bytes(lambda c: struct.pack("<Q", 2**40) + c[8:]), "damaged"),
    "short header": (edit_bytes(lambda c: struct.pack("<Q", 10) + c[8:]), "damaged"),
    "cut off": (edit_bytes(lambda c: c[:-100]), "damaged"),
    "cut in the header": (edit_bytes(lambda c: c[:100]), "damaged"),
    "longer": (edit_bytes(lambda c: c + b"0000"), "damaged"),
    "version": (edit_weights(nothing, format_version="2"), "format_version 2 .* known is 1"),
    "of another program": (
        lambda path: save_file(load_file(path), path),
        "format_version None",
    ),
    "network": (edit_weights(nothing, network="tdnn"), "network tdnn, beside a config of rescnn"),
    "lacking": (edit_weights(lambda w: w.pop("affine.bias")), r"missing: affine\.bias"),
    "too many": (edit_weights(lambda w: w.update(x=torch.ones(1))), "unexpected: x"),
    "shape": (edit_weights(transpose), r"of another shape: affine\.weight \("),
    "NaN": (edit_weights(make_nan), r"not finite: affine\.weight"),
}


@pytest.mark.parametrize(("spoil", "told"), BAD.values(), ids=BAD)
def test_bad_weights_are_named_in_one_line(
    spoil: Callable[[Path], None], told: str, tmp_path: Path
) -> None:
    folder = make_model(tmp_path / "m")
    spoil(folder / "weights.safetensors")
    with pytest.raises(ValueError, match=told) as caught:
        import_weights(folder, TINY)
    assert str(caught.value).startswith(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"features": {"low_freq": 60}}, "features.low_freq 20.0, not 60.0: --set features.low_f"),
        ({"voice_activity": {"energy_threshold": 5}}, "voice_activity.energy_threshold 5.5, not 5"),
        ({"normalisation": {"mean": "none"}}, "normalisation.mean utterance, not none: --set norm"),
        ({"network": {"pooling": "maximum"}}, "network.pooling average, not maximum: --set networ"),
        ({"network": {"channels": [8, 16]}}, r"network.channels \[4, 8\], not \[8, 16\]: --set "),
        (
            {"features": {"front_end": "speechbrain"}},
            "trained with features.front_end kaldi, not speechbrain: name .*/m/config.yaml, or",
        ),
    ],
    ids=str,
)
def test_a_config_of_other_input_or_network_is_refused(
    sections: dict[str, Any], told: str, tmp_path: Path
) -> None:
    """All else, such as the training, is the config's own."""
    folder = make_model(tmp_path / "m")
    content = make_experiment().model_dump(mode="json")
    for section, values in sections.items():
        changed = {} if "front_end" in values else content[section]
        content[section] = changed | values
    with pytest.raises(ValueError, match=f"/m: trained with .*{told}|{told}") as caught:
        import_weights(folder, Experiment.model_validate(content))
    assert "\n" not in str(caught.value)
    import_weights(folder, make_experiment(pretraining={"epochs": 9}, seed=4))


def test_another_kind_of_network_is_refused(tmp_path: Path) -> None:
    content = make_experiment().model_dump(mode="json") | {"network": {"name": "tdnn"}}
    message = r"trained with network\.name rescnn, not tdnn: name .*/m/config\.yaml, or what is"
    with pytest.raises(ValueError, match=message):
        import_weights(make_model(tmp_path / "m"), Experiment.model_validate(content))


def test_a_window_s_base_counts_too(tmp_path: Path) -> None:
    def make(channels: list[int]) -> dict[str, Any]:
        base = {"name": "rescnn", "channels": channels, "blocks_per_stage": 1, "embedding_dim": 8}
        content = make_experiment().model_dump(mode="json")
        return content | {"network": {"name": "window_average", "window_frames": 20, "base": base}}

    one, other = (Experiment.model_validate(make(channels)) for channels in ([4, 8], [4, 4]))
    write_model_folder(tmp_path / "m", make_trained(one), "float16")
    import_weights(tmp_path / "m", one)
    with pytest.raises(ValueError, match=r"network\.base .*\[4, 8\].*, not .*\[4, 4\]"):
        import_weights(tmp_path / "m", other)
