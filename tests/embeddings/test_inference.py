"""Embeddings by whole utterance, pieces and crops, one by one and in batches."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_speaker.config import Extraction
from deep_speaker.config.networks import GRU
from deep_speaker.embeddings.inference import (
    embed,
    embed_in_batches,
    embed_pieces,
    embed_utterance,
    fold_batch_norm,
    for_inference,
)
from deep_speaker.embeddings.pieces import PieceReader, cut_pieces
from deep_speaker.features.source import FeatureSource
from deep_speaker.networks.devices import to_device
from deep_speaker.networks.pace import PRECISIONS, Precision
from deep_speaker.networks.registry import build_network
from deep_speaker.networks.speaker_network import EmbeddingNetwork
from support.tiny_data import MELS, make_experiment, write_features
from support.tiny_networks import BINS, make_network, with_batch_norm

CPU = torch.device("cpu")
TINY = make_experiment()


def random_frames(count: int) -> np.ndarray:
    return np.random.default_rng(count).normal(0, 1, (count, MELS)).astype(np.float32)


class Recorder(EmbeddingNetwork):
    """The mean of the frames as an embedding; remembers what it was given, pass by pass."""

    def __init__(self, fewest_frames: int = 1) -> None:
        super().__init__()
        self.fewest_frames = fewest_frames
        self.passes: list[list[np.ndarray]] = []

    @property
    def seen(self) -> list[np.ndarray]:
        return [piece for batch in self.passes for piece in batch]

    def forward(self, fbanks: Tensor, lengths: Tensor | None = None) -> Tensor:
        counts = [fbanks.shape[1]] * len(fbanks) if lengths is None else lengths.tolist()
        pieces = [values[:count] for values, count in zip(fbanks, counts, strict=True)]
        assert min(counts) >= self.fewest_frames
        self.passes.append([piece.numpy() for piece in pieces])
        return torch.stack([piece.mean(dim=0) for piece in pieces])


def test_an_embedding_has_unit_length_and_the_networks_direction() -> None:
    network = build_network(TINY).eval()
    frames = random_frames(50)
    (embedding,) = embed(network, [frames], CPU)
    assert (embedding.shape, embedding.dtype) == ((TINY.network.embedding_dim,), np.float32)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-6)
    with torch.no_grad():
        raw = network(torch.from_numpy(frames)[None])[0].numpy()
    # In bfloat16, where the processor has it, three digits are right.
    assert embedding == pytest.approx(raw / np.linalg.norm(raw), abs=2e-2)


@pytest.mark.parametrize("length", [1, 30, 60])
def test_a_whole_utterance_is_one_piece_up_to_the_limit(length: int) -> None:
    network, frames = Recorder(), random_frames(length)
    embedding = embed_utterance(network, frames, Extraction(max_frames=60), CPU)
    assert len(network.seen) == 1
    assert np.array_equal(network.seen[0], frames)
    assert embedding == pytest.approx(embed(network, [frames], CPU)[0], abs=1e-7)


@pytest.mark.parametrize(
    ("length", "lengths"), [(61, [31, 30]), (180, [60] * 3), (181, [46] + [45] * 3)]
)
def test_a_long_utterance_is_the_mean_of_equal_pieces(length: int, lengths: list[int]) -> None:
    network, frames = Recorder(), random_frames(length)
    embedding = embed_utterance(network, frames, Extraction(max_frames=60), CPU)
    assert [len(piece) for piece in network.seen] == lengths
    assert [len(batch) for batch in network.passes] == [1] * len(lengths)
    assert np.array_equal(np.concatenate(network.seen), frames)
    mean = np.mean([embed(network, [piece], CPU)[0] for piece in network.seen], axis=0)
    assert embedding == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-6)


def test_crops_are_evenly_spaced_from_the_first_to_the_last_frame() -> None:
    network, frames = Recorder(), random_frames(100)
    options = Extraction(method="crops", num_crops=5, crop_frames=20)
    embedding = embed_utterance(network, frames, options, CPU)
    assert len(network.passes) == 1  # all crops at once
    for start, crop in zip((0, 20, 40, 60, 80), network.seen, strict=True):
        assert np.array_equal(crop, frames[start : start + 20])
    mean = np.mean([embed(network, [crop], CPU)[0] for crop in network.seen], axis=0)
    assert embedding == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


def test_an_utterance_shorter_than_a_crop_is_repeated() -> None:
    network, frames = Recorder(), random_frames(8)
    options = Extraction(method="crops", num_crops=3, crop_frames=20)
    embed_utterance(network, frames, options, CPU)
    assert len(network.seen) == 3
    for crop in network.seen:
        assert np.array_equal(crop, np.concatenate([frames, frames, frames[:4]]))


def test_an_utterance_shorter_than_the_network_takes_is_repeated() -> None:
    network, frames = Recorder(fewest_frames=20), random_frames(8)
    embed_utterance(network, frames, Extraction(), CPU)
    (piece,) = network.seen
    assert np.array_equal(piece, np.concatenate([frames, frames, frames[:4]]))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_network_for_inference_embeds_the_same_and_leaves_the_one_it_copies(
    precision: Precision,
) -> None:
    """Weights cast once instead of for every utterance give the same bits."""
    gru = GRU(name="gru", channels=4, hidden_dim=16, embedding_dim=8)
    network = build_network(make_experiment().model_copy(update={"network": gru})).eval()
    before = copy.deepcopy(network.state_dict())
    frames = random_frames(50)
    copied = for_inference(network, CPU, precision)
    exact = embed(network, [frames], CPU)
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        rough = F.normalize(network(torch.from_numpy(frames)[None]), dim=1).numpy()
    assert np.abs(exact - rough).max() > 1e-4
    expected = exact if precision == "float32" else rough
    np.testing.assert_allclose(embed(copied, [frames], CPU), expected, atol=1e-6)
    after = network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize(
    ("name", "options", "left"),
    [("rescnn", {}, 0), ("rescnn", {"variant": "keras"}, 0), ("gru", {}, 0), ("resnetse34", {}, 5),
     ("resnetse34l", {}, 5), ("vggvox40", {}, 0), ("tdnn", {}, 5), ("ecapa_tdnn", {}, 29),
     ("window_average", {}, 0)],
)  # fmt: skip
def test_folding_batch_norm_changes_no_embedding(
    name: str, options: dict[str, Any], left: int
) -> None:
    network = with_batch_norm(make_network(name, **options))
    folded = to_device(fold_batch_norm(copy.deepcopy(network)), torch.device("cpu"))
    # Those that come after a ReLU stay: one per residual block with squeeze and excitation, all of
    # the two kinds of TDNN.
    assert sum(isinstance(module, nn.BatchNorm2d) for module in folded.modules()) == left
    fbanks, lengths = torch.randn(2, 80, BINS), torch.tensor([80, 66])
    fbanks[1, 66:] = 0
    with torch.inference_mode():
        torch.testing.assert_close(folded(fbanks), network(fbanks), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            folded(fbanks, lengths), network(fbanks, lengths), rtol=1e-4, atol=1e-5
        )


# Many utterances in batches


LENGTHS = [70, 3, 41, 55, 1, 40, 69, 200]


@pytest.fixture
def source(tmp_path: Path) -> FeatureSource:
    frames = {f"a-{i}": random_frames(length) for i, length in enumerate(LENGTHS)}
    return FeatureSource(write_features(tmp_path / "d", frames, TINY), TINY)


def make_reader(source: FeatureSource, options: Extraction, fewest: int = 1) -> PieceReader:
    return PieceReader(source, TINY.model_copy(update={"extraction": options}), fewest)


def test_long_utterances_are_read_in_the_pieces_of_the_whole(source: FeatureSource) -> None:
    options = Extraction(max_frames=60)
    reader = make_reader(source, options)
    counts = set()
    for key in source.utt2spk:
        pieces, expected = (
            list(reader.read(key)), cut_pieces(source.read(source.whole(key)), options)
        )  # fmt: skip
        counts.add(len(pieces))
        for piece, wanted in zip(pieces, expected, strict=True):
            np.testing.assert_array_equal(piece, wanted)
    assert max(counts) > 1


@pytest.mark.parametrize("max_frames", [1, 100, 300, 10**6])
@pytest.mark.parametrize(
    "options",
    [
        Extraction(),
        Extraction(max_frames=60),
        Extraction(method="crops", num_crops=3, crop_frames=50),
    ],
    ids=["whole", "pieces", "crops"],
)
def test_batches_give_the_embeddings_of_one_by_one(
    options: Extraction, max_frames: int, source: FeatureSource
) -> None:
    network = build_network(TINY).eval()
    reader = make_reader(source, options)
    found = list(embed_in_batches(network, reader, source.utt2spk, CPU, max_frames))
    assert [key for key, _ in found] == sorted(source.utt2spk, key=source.num_voiced)
    for key, embeddings in found:
        expected = embed_pieces(network, reader.read(key), options, CPU)
        assert embeddings == pytest.approx(expected, abs=1e-4)
        assert embeddings.shape == expected.shape


def test_batches_are_of_like_lengths_and_bounded_with_their_padding(
    source: FeatureSource,
) -> None:
    network = Recorder(fewest_frames=2)
    reader = make_reader(source, Extraction(max_frames=100), network.fewest_frames)
    dict(embed_in_batches(network, reader, source.utt2spk, CPU, 150))
    lengths = [[len(piece) for piece in batch] for batch in network.passes]
    assert lengths == [[2, 3, 40], [41, 55], [69, 70], [100], [100]]


def test_an_error_in_reading_ahead_reaches_the_caller(source: FeatureSource) -> None:
    with pytest.raises(ValueError, match="damaged archive"):
        Path(str(source.data_dir / "feats.ark")).write_bytes(b"0" * 10**6)
        dict(embed_in_batches(Recorder(), make_reader(source, Extraction()), source.utt2spk, CPU))
