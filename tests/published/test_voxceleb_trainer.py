"""voxceleb_trainer of both times and the recipe: from samples to scores, the same numbers."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

from deep_speaker.config import read_experiment
from deep_speaker.embeddings import extraction
from deep_speaker.embeddings.extraction import Extractor, extract
from deep_speaker.embeddings.settling import choose_precision
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.audio import read_info
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.networks.checkpoints import save_checkpoint
from deep_speaker.published.importing import import_weights
from deep_speaker.scoring.crop_distances import crop_distance_scores, read_crops
from support.experiment_files import CONF
from support.published_front_end import load_crops, score, spectrograms, stored_buffers
from support.published_networks import make_state, run_plain
from support.speech import make_speech, write_audio
from support.threads import one_thread

__all__ = ["one_thread"]

CPU = torch.device("cpu")
FEW = ["extraction.num_crops=4", "extraction.crop_frames=100"]
CROP = 100 * 160 + 240
# Far shorter than a crop, by an odd and an even number of samples; as long; longer.
LENGTHS = [5001, 9000, CROP - 1, CROP, CROP + 1, 40000]
NOW = ["features.sample_scale=unit", "extraction.short_utterances=repeat"]
# Its code until 2020-09 and since 2021-04: config, settings; scale, window and what is short there.
TIMES = [
    ("resnetse34l", [], 1, "hann", "zeros"),
    ("resnetse34", [], 1, "hann", "zeros"),
    ("vggvox40", [], 1, "hann", "zeros"),
    ("resnetse34l_2021", [], 32768, "hamming", "repeat"),
    ("vggvox40", NOW, 32768, "hann", "repeat"),
]
WINDOWS = {"hann": torch.hann_window(400), "hamming": torch.hamming_window(400)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data directory of utterances of those lengths."""
    utterances = []
    for i, length in enumerate(LENGTHS):
        path = write_audio(tmp_path / f"audio/{i}.wav", make_speech(i, 3)[:length])
        utterances.append(Utterance(f"s{i}-0", f"s{i}", str(path), read_info(path)))
    write_data_dir(tmp_path / "test", utterances)
    return tmp_path / "test"


def embed_plainly(
    folder: Path, state: dict[str, Tensor], name: str, scale: int, window: str, short: str
) -> list[Tensor]:
    """Unit-length crops (crops, dim) of each utterance, by the copy of the source."""
    embeddings = []
    for entry in read_table(folder / "wav.scp").values():
        samples = soundfile.read(entry, dtype="int16")[0]
        crops = load_crops((samples / scale).astype(np.float32), 100, 4, short)
        seen = spectrograms(crops, WINDOWS[window], of_thin_resnet=name == "resnetse34")
        embedded = run_plain(name, "self_attentive", state, seen)
        embeddings.append(nn.functional.normalize(embedded))
    return embeddings


@pytest.mark.parametrize("way", ["cpu", "gpu"])
@pytest.mark.parametrize(
    ("config", "settings", "scale", "window", "short"),
    TIMES,
    ids=["34L 2020", "34 2020", "VGG 2020", "34L now", "VGG now"],
)
def test_the_recipe_scores_as_the_source(
    config: str, settings: list[str], scale: int, window: str, short: str, way: str,
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Data directory, stage 1, import, extraction and scores, also where bfloat16 is asked for."""
    experiment = read_experiment(CONF / f"{config}.yaml", [], [*FEW, *settings])
    state = make_state(experiment.network.name)
    stored = {} if config == "resnetse34" else stored_buffers(WINDOWS[window])
    torch.save(state | stored, tmp_path / "published.model")
    expected = embed_plainly(folder, state, experiment.network.name, scale, window, short)

    compute_data_dir(folder, experiment, 1)
    checkpoint = import_weights(tmp_path / "published.model", experiment)
    save_checkpoint(tmp_path / "best.pt", checkpoint)
    if way == "gpu":  # by the way that a GPU takes, gone here on the CPU
        monkeypatch.setattr(extraction, "in_processes", lambda device: False)
    extractor = Extractor(tmp_path / "best.pt", folder, experiment, CPU)
    assert choose_precision(extractor, "bfloat16") == extractor.precision == "float32"
    extract({tmp_path / "x": extractor}, 1)
    crops = read_crops(tmp_path / "x", list(read_table(folder / "utt2spk")))
    assert crops == pytest.approx(np.stack([one.numpy() for one in expected]), abs=2e-5)
    first, second = np.triu_indices(len(LENGTHS), 1)
    scores = crop_distance_scores(crops, first, second)
    plain = [score(expected[i], expected[j]) for i, j in zip(first, second, strict=True)]
    assert scores == pytest.approx(plain, abs=1e-4)
    assert np.std(plain) > 1e-2  # a comparison that means something
