#!/usr/bin/env python3
"""Run SpeechBrain's own code, and write its numbers to speechbrain_numbers.npz beside this file.

They are what tests/features/test_speechbrain.py and tests/published/test_speechbrain.py compare
with. From the folder tests, in an environment with this project's packages and `pip install
--no-deps speechbrain==1.1.2` (its other packages are for other things; torchaudio is replaced by
an empty module):

    PYTHONPATH=../pyscripts:. python support/make_speechbrain_numbers.py embedding_model.ckpt

The file's arrays are float32:
    fbank_<seed>: shape (frames, 80), of `waveform(seed)`.
    weight.<name>: of a narrow ECAPA-TDNN, by SpeechBrain's names.
    narrow_<seed>: shape (24,), that network's embedding of `waveform(seed)`.
    published_<seed>: shape (192,), likewise of the published network.
"""

import sys
import types
from pathlib import Path

import numpy as np
import torch

from support.speech import make_speech

NUMBERS = Path(__file__).with_name("speechbrain_numbers.npz")
# Of each seed's waveform. The last, of a few steps of 16 bits, reaches the least power.
SECONDS = {0: 0.305, 1: 0.8, 2: 0.05, 3: 0.2}
PEAKS = {0: 32767, 1: 32767, 2: 32767, 3: 20}
NARROW = {"channels": 16, "pooled_channels": 24, "embedding_dim": 24}


def waveform(seed: int) -> np.ndarray:
    """Return whole numbers on the scale of 16-bit integers: float32, shape (samples,).

    A third of it is digital silence, far below the loudest value.
    """
    samples = np.round(PEAKS[seed] * make_speech(seed, SECONDS[seed])).astype(np.float32)
    samples[: len(samples) // 3] = 0
    return samples


def random_state(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Draw weights, and statistics of batch normalisation far from 0 and 1."""
    generator = torch.Generator().manual_seed(5)
    state = {}
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        values = torch.randn(tensor.shape, generator=generator)
        if "norm" in name or name.startswith("asp_bn"):
            positive = name.endswith(("running_var", "weight"))
            state[name] = values.abs() + 0.5 if positive else values / 3
        else:
            state[name] = values / max(1, tensor[0].numel()) ** 0.5
    return state


@torch.inference_mode()
def main(published: Path) -> None:
    torchaudio = types.ModuleType("torchaudio")
    torchaudio.__dict__["__version__"] = "2.9.0"
    sys.modules["torchaudio"] = torchaudio
    from speechbrain.lobes.features import Fbank
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
    from speechbrain.processing.features import InputNormalization

    compute_features = Fbank(n_mels=80)
    mean_var_norm = InputNormalization(norm_type="sentence", std_norm=False)
    sizes = {"kernel_sizes": [5, 3, 3, 3, 1], "dilations": [1, 2, 3, 4, 1]}
    narrow = ECAPA_TDNN(80, channels=[16] * 4 + [24], lin_neurons=24, **sizes)
    weights = random_state(narrow)
    narrow.load_state_dict(weights, strict=False)
    wide = ECAPA_TDNN(80, channels=[1024] * 4 + [3072], lin_neurons=192, **sizes)
    wide.load_state_dict(torch.load(published, map_location="cpu", weights_only=True))
    numbers = {f"weight.{name}": tensor.numpy() for name, tensor in weights.items()}
    for seed in SECONDS:  # the steps of EncoderClassifier.encode_batch
        wavs, lengths = torch.from_numpy(waveform(seed) / 32768)[None], torch.ones(1)
        features = compute_features(wavs)
        numbers[f"fbank_{seed}"] = features[0].numpy()
        features = mean_var_norm(features, lengths)
        for name, network in (("narrow", narrow), ("published", wide)):
            numbers[f"{name}_{seed}"] = network.eval()(features, lengths)[0, 0].numpy()
    np.savez_compressed(NUMBERS, **numbers)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
