"""Embeddings by whole utterance, pieces and crops; x-vector directories read by others' readers."""

import copy
import dataclasses
import shutil
from pathlib import Path

import kaldi_native_io
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import extract_embeddings
from deep_speaker.config import Extraction
from deep_speaker.config.networks import GRU
from deep_speaker.corpora.speaker_splits import split_speakers
from deep_speaker.embeddings import extraction, inference
from deep_speaker.embeddings.extraction import Extractor, extract, find_held_out
from deep_speaker.embeddings.inference import (
    embed,
    embed_in_batches,
    embed_pieces,
    embed_utterance,
    fold_batch_norm,
    for_inference,
)
from deep_speaker.embeddings.xvectors import at_unit_length
from deep_speaker.features.source import FeatureSource
from deep_speaker.kaldi.tables import read_table
from deep_speaker.networks import devices
from deep_speaker.networks.checkpoints import load_checkpoint, load_network, save_checkpoint
from deep_speaker.networks.registry import build_network
from deep_speaker.networks.speaker_network import EmbeddingNetwork
from deep_speaker.training.setup import build_trainer
from support.kaldi_checks import read_by_kaldiio
from support.tiny_data import MELS, make_experiment, make_frames, write_experiment, write_features

CPU = torch.device("cpu")
TINY = make_experiment()


@pytest.fixture(scope="module")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> Extractor:
    """A network after some training, and the directory it was trained on."""
    folder = tmp_path_factory.mktemp("exp")
    data_dir = write_features(folder / "data", make_frames(6, 3), TINY)
    trainer = build_trainer(TINY, "pretraining", data_dir, None, CPU)
    trainer.train_epoch(0, [])
    save_checkpoint(folder / "best.pt", trainer.checkpoint(1, []))
    return Extractor(folder / "best.pt", data_dir, TINY, CPU)


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


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """float32 also where the processor has bfloat16, in which only three digits are right."""
    for where in (devices, inference):
        monkeypatch.setattr(where, "has_bfloat16", lambda device: False)
    extraction._open.cache_clear()


# One utterance


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


def test_a_network_for_inference_embeds_the_same_and_leaves_the_one_it_copies() -> None:
    """Weights cast once instead of for every utterance give the same bits."""
    gru = GRU(name="gru", channels=4, hidden_dim=16, embedding_dim=8)
    network = build_network(make_experiment().model_copy(update={"network": gru})).eval()
    before = copy.deepcopy(network.state_dict())
    frames = random_frames(50)
    copied = for_inference(network, CPU)
    assert embed(copied, [frames], CPU).tolist() == pytest.approx(
        embed(network, [frames], CPU), abs=1e-6
    )
    after = network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_folding_batch_norm_changes_no_embedding() -> None:
    network = build_network(TINY)
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # far from the identity that it starts as
            for values in (module.weight, module.bias, module.running_mean):
                assert values is not None
                values.data.uniform_(-1, 2, generator=generator)
            assert module.running_var is not None
            module.running_var.uniform_(0.2, 4, generator=generator)
    network.eval()
    folded = fold_batch_norm(copy.deepcopy(network))
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == 6
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    fbanks = torch.from_numpy(random_frames(60))[None]
    torch.testing.assert_close(folded(fbanks), network(fbanks), rtol=1e-4, atol=1e-5)


# Many utterances in batches

LENGTHS = [70, 3, 41, 55, 1, 40, 69, 200]


@pytest.fixture
def source(tmp_path: Path) -> FeatureSource:
    frames = {f"a-{i}": random_frames(length) for i, length in enumerate(LENGTHS)}
    return FeatureSource(write_features(tmp_path / "d", frames, TINY), TINY)


@pytest.mark.usefixtures("exact")
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
    found = list(embed_in_batches(network, source, source.utt2spk, options, CPU, max_frames))
    assert [key for key, _ in found] == sorted(source.utt2spk, key=source.num_voiced)
    for key, embeddings in found:
        expected = embed_pieces(network, source.read(source.whole(key)), options, CPU)
        assert embeddings == pytest.approx(expected, abs=1e-4)
        assert embeddings.shape == expected.shape


def test_batches_are_of_like_lengths_and_bounded_with_their_padding(
    source: FeatureSource,
) -> None:
    network = Recorder(fewest_frames=2)
    dict(embed_in_batches(network, source, source.utt2spk, Extraction(max_frames=100), CPU, 150))
    lengths = [[len(piece) for piece in batch] for batch in network.passes]
    assert lengths == [[2, 3, 40], [41, 55], [69, 70], [100], [100]]


def test_an_error_in_reading_ahead_reaches_the_caller(source: FeatureSource) -> None:
    with pytest.raises(ValueError, match="damaged archive"):
        Path(str(source.data_dir / "feats.ark")).write_bytes(b"0" * 10**6)
        dict(embed_in_batches(Recorder(), source, source.utt2spk, Extraction(), CPU))


@pytest.mark.usefixtures("exact")
def test_extraction_on_a_gpu_is_that_on_the_cpu(
    extractor: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the way that a GPU takes, gone here on the CPU."""
    extract(extractor, tmp_path / "cpu", 1)
    monkeypatch.setattr(extraction, "in_processes", lambda device: False)
    extract(extractor, tmp_path / "gpu", 1)
    expected = read_by_kaldiio(tmp_path / "cpu/xvector.scp")
    found = read_by_kaldiio(tmp_path / "gpu/xvector.scp")
    assert list(found) == list(expected)
    for key, vector in expected.items():
        assert found[key] == pytest.approx(vector, abs=1e-4)


# Whole data directories


def test_extraction_is_the_same_for_any_number_of_jobs(
    extractor: Extractor, tmp_path: Path
) -> None:
    for jobs in (1, 2):
        extract(extractor, tmp_path / f"x{jobs}", jobs)
    for name in ("xvector.ark", "spk_xvector.ark", "num_utts.ark"):
        assert (tmp_path / "x1" / name).read_bytes() == (tmp_path / "x2" / name).read_bytes()


def test_extraction_embeds_each_utterance_by_the_checkpoints_network(
    extractor: Extractor, tmp_path: Path
) -> None:
    extract(extractor, tmp_path / "x", 1)
    vectors = read_by_kaldiio(tmp_path / "x/xvector.scp")
    source = FeatureSource(extractor.data_dir, TINY)
    network = load_network(extractor.checkpoint, TINY)
    assert list(vectors) == sorted(source.utt2spk)
    for key, vector in vectors.items():
        frames = torch.from_numpy(source.read(source.whole(key)))[None]
        with torch.no_grad():
            expected = nn.functional.normalize(network(frames)[0], dim=0).numpy()
        assert vector == pytest.approx(expected, abs=2e-2)  # bfloat16 where there is it
        others = [other @ expected for name, other in vectors.items() if name != key]
        assert vector @ expected > max(others)


def test_features_of_another_config_are_refused_before_any_work(
    extractor: Extractor, tmp_path: Path
) -> None:
    other = Extractor(
        extractor.checkpoint, extractor.data_dir, make_experiment(features={"low_freq": 50}), CPU
    )
    with pytest.raises(ValueError, match="run stage 1"):
        extract(other, tmp_path / "x", 1)
    assert not (tmp_path / "x").exists()


def test_who_is_held_out_is_noted_and_may_not_change(extractor: Extractor, tmp_path: Path) -> None:
    utt2spk = read_table(extractor.data_dir / "utt2spk")
    held_out = split_speakers(sorted(set(utt2spk.values())), TINY.held_out, TINY.seed)[1]
    extract(extractor, tmp_path / "x", 1)
    assert (tmp_path / "x/held_out_speakers").read_text().split() == held_out
    copies = {f"sp0.9-{key}": f"sp0.9-{speaker}" for key, speaker in utt2spk.items()}
    checkpoint = load_checkpoint(extractor.checkpoint)
    assert find_held_out(checkpoint, utt2spk | copies) == set(held_out)
    assert find_held_out(checkpoint, {"u": "somebody"}) == set()
    other = Extractor(extractor.checkpoint, extractor.data_dir, make_experiment(seed=9), CPU)
    with pytest.raises(ValueError, match=r"best.pt held out other speakers than the config's seed"):
        extract(other, tmp_path / "y", 1)
    assert not (tmp_path / "y").exists()


def test_an_error_in_a_job_reaches_the_command(extractor: Extractor, tmp_path: Path) -> None:
    missing = Extractor(tmp_path / "finetuning/best.pt", extractor.data_dir, TINY, CPU)
    with pytest.raises(ValueError, match="is missing: run stage 3 first"):
        extract(missing, tmp_path / "x", 2)
    assert not (tmp_path / "x").exists()


def test_command_extracts_by_crops(
    extractor: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = make_experiment(extraction={"method": "crops", "num_crops": 2, "crop_frames": 30})
    config = write_experiment(tmp_path / "tiny.yaml", experiment)
    again = extractor.data_dir.with_name("again")
    shutil.copytree(extractor.data_dir, again)
    options = f"--config {config} --device cpu --nj 1 {extractor.checkpoint} {tmp_path}"
    folders = [str(extractor.data_dir), str(again)]
    monkeypatch.setattr("sys.argv", ["extract_embeddings.py", *options.split(), *folders])
    extract_embeddings.main()
    first, second = (tmp_path / f"xvectors_{Path(folder).name}" for folder in folders)
    assert (first / "xvector.ark").read_bytes() == (second / "xvector.ark").read_bytes()
    vectors = read_by_kaldiio(first / "xvector.scp")
    assert len(vectors) == 6 * 3
    source = FeatureSource(extractor.data_dir, TINY)
    network = load_network(extractor.checkpoint, TINY)
    frames = source.read(source.whole("s01-2"))
    expected = embed_utterance(network, frames, experiment.extraction, CPU)
    assert vectors["s01-2"] == pytest.approx(expected, abs=2e-2)


def test_crops_are_kept_for_their_distances(extractor: Extractor, tmp_path: Path) -> None:
    options = {"method": "crops", "num_crops": 4, "crop_frames": 30}
    for backend in ("cosine", "crop_distance"):
        experiment = make_experiment(extraction=options, scoring={"backends": ["lda", backend]})
        changed = dataclasses.replace(extractor, experiment=experiment)
        extract(changed, tmp_path / backend, 2)
    names = {path.name for path in (tmp_path / "crop_distance").iterdir()}
    added = {"xvector_crops.ark", "xvector_crops.scp", "spk2utt"}
    assert names == {path.name for path in (tmp_path / "cosine").iterdir()} | added
    assert read_table(tmp_path / "crop_distance/spk2utt")["s01"] == "s01-0 s01-1 s01-2"

    vectors = read_by_kaldiio(tmp_path / "crop_distance/xvector.scp")
    with kaldi_native_io.SequentialFloatMatrixReader(
        f"scp:{tmp_path}/crop_distance/xvector_crops.scp"
    ) as reader:
        crops = {key: np.array(value) for key, value in reader}
    assert list(crops) == list(vectors)
    for key, matrix in crops.items():
        assert (matrix.shape, matrix.dtype) == ((4, TINY.network.embedding_dim), np.float32)
        assert np.linalg.norm(matrix, axis=1) == pytest.approx(1, abs=1e-5)
        assert vectors[key] == pytest.approx(at_unit_length(matrix.mean(axis=0)), abs=1e-6)
