"""The front end that a file of weights holds: taken where it is the experiment's, else refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from deep_speaker.config import Experiment
from deep_speaker.published.importing import import_weights
from support.published_front_end import mel_filters, stored_buffers
from support.published_networks import make_state

FAST = {"front_end": "torchaudio", "window": "hann"}
WINDOW, FILTERS = "torchfb.spectrogram.window", "torchfb.mel_scale.fb"
BUFFERS = stored_buffers(torch.hann_window(400))


def make_config(features: dict[str, Any]) -> Experiment:
    return Experiment.model_validate(
        {
            "features": features,
            "normalisation": {"mean": "chunk", "scale": "chunk"},
            "network": {"name": "resnetse34l"},
            "pretraining": {"loss": {"name": "softmax"}},
        }
    )


@pytest.mark.parametrize("name", ["hann", "hamming"])
def test_the_experiment_s_own_front_end_is_taken(name: str, tmp_path: Path) -> None:
    window = {"hann": torch.hann_window, "hamming": torch.hamming_window}[name](400)
    torch.save(make_state("resnetse34l") | stored_buffers(window), tmp_path / "m.model")
    import_weights(tmp_path / "m.model", make_config(FAST | {"window": name}))


@pytest.mark.parametrize(
    "stored",
    [{}, {FILTERS: torch.empty(0)}, {WINDOW: torch.hann_window(400)}],
    ids=["none", "filters that were never used", "a window"],
)
def test_a_file_without_a_front_end_is_taken_as_it_is(
    stored: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(make_state("resnetse34l") | stored, tmp_path / "m.model")
    import_weights(tmp_path / "m.model", make_config(FAST))


@pytest.mark.parametrize(
    ("stored", "features", "line"),
    [
        ({}, {"window": "hamming"},
         f"{WINDOW} is hann, of 400 samples; the config's is hamming, of 400: name the config that "
         "has it, or --set features.window=hann"),
        ({WINDOW: torch.hamming_window(400)}, {},
         f"{WINDOW} is hamming, of 400 samples; the config's is hann, of 400: name the config that "
         "has it, or --set features.window=hamming"),
        ({WINDOW: torch.hann_window(320)}, {},
         f"{WINDOW} is hann, of 320 samples; the config's is hann, of 400: name the config that "
         "has it, or --set features.frame_length_ms=20"),
        ({WINDOW: torch.ones(400)}, {},
         f"{WINDOW} is unknown, of 400 samples; the config's is hann, of 400: no window here is "
         "like it; there are hamming, hann"),
        ({FILTERS: mel_filters(64)}, {},
         f"{FILTERS} has 64 filters of 257 bins; the config's features have num_mels 40: --set "
         "features.num_mels=64"),
        ({}, {"num_mels": None},
         f"{FILTERS} has 40 filters of 257 bins; the config's features have num_mels null: --set "
         "features.num_mels=40"),
        ({FILTERS: mel_filters(40, bins=513)}, {},
         f"{FILTERS} has 40 filters of 513 bins; the config's features have fft_length 512, which "
         "makes 257: --set features.fft_length=1024"),
        ({FILTERS: mel_filters(40, rate=8000)}, {},
         f"{FILTERS} has 40 filters of 257 bins that differ by up to 1; the config's features "
         "have HTK mels from 0 to 8000 Hz: set features.sampling_rate to that of its training; "
         "there are no other filters"),
    ],
)  # fmt: skip
def test_another_front_end_is_refused_in_a_line_with_its_remedy(
    stored: dict[str, Tensor], features: dict[str, Any], line: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.model"
    torch.save(make_state("resnetse34l") | BUFFERS | stored, path)
    with pytest.raises(ValueError, match=f"^{path}: ") as error:
        import_weights(path, make_config(FAST | features))
    assert str(error.value) == f"{path}: {line}"
