"""Extraction: whole data directories by a checkpoint, one process, several, or as on a GPU."""

import dataclasses
import shutil
from pathlib import Path

import kaldi_native_io
import numpy as np
import pytest
import torch
from torch import nn

import extract_embeddings
from deep_speaker.corpora.speaker_splits import split_speakers
from deep_speaker.embeddings import extraction, settling
from deep_speaker.embeddings.extraction import Extractor, extract, find_held_out
from deep_speaker.embeddings.inference import (
    embed_utterance,
)
from deep_speaker.embeddings.settling import make_trial
from deep_speaker.embeddings.unit_length import at_unit_length
from deep_speaker.features.source import FeatureSource
from deep_speaker.kaldi.tables import read_table
from deep_speaker.networks import pace
from deep_speaker.networks.checkpoints import load_checkpoint, load_network, save_checkpoint
from deep_speaker.networks.pace import Pace
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


def test_extraction_on_a_gpu_is_that_on_the_cpu(
    extractor: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the way that a GPU takes, gone here on the CPU."""
    extract({tmp_path / "cpu": extractor}, 1)
    monkeypatch.setattr(extraction, "in_processes", lambda device: False)
    extract({tmp_path / "gpu": extractor}, 1)
    expected = read_by_kaldiio(tmp_path / "cpu/xvector.scp")
    found = read_by_kaldiio(tmp_path / "gpu/xvector.scp")
    assert list(found) == list(expected)
    for key, vector in expected.items():
        assert found[key] == pytest.approx(vector, abs=1e-4)


def test_extraction_is_the_same_for_any_number_of_jobs(
    extractor: Extractor, tmp_path: Path
) -> None:
    for jobs in (1, 2):
        extract({tmp_path / f"x{jobs}": extractor}, jobs)
    for name in ("xvector.ark", "spk_xvector.ark", "num_utts.ark"):
        assert (tmp_path / "x1" / name).read_bytes() == (tmp_path / "x2" / name).read_bytes()


def test_extraction_embeds_each_utterance_by_the_checkpoints_network(
    extractor: Extractor, tmp_path: Path
) -> None:
    extract({tmp_path / "x": extractor}, 1)
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
    with pytest.raises(ValueError, match=" stage 1 "):
        extract({tmp_path / "x": other}, 1)
    assert not (tmp_path / "x").exists()


def test_who_is_held_out_is_noted_and_may_not_change(extractor: Extractor, tmp_path: Path) -> None:
    utt2spk = read_table(extractor.data_dir / "utt2spk")
    held_out = split_speakers(utt2spk, TINY.held_out, TINY.seed)[1]
    extract({tmp_path / "x": extractor}, 1)
    assert (tmp_path / "x/held_out_speakers").read_text().split() == held_out
    copies = {f"sp0.9-{key}": f"sp0.9-{speaker}" for key, speaker in utt2spk.items()}
    checkpoint = load_checkpoint(extractor.checkpoint)
    assert find_held_out(checkpoint, utt2spk | copies) == set(held_out)
    assert find_held_out(checkpoint, {"u": "somebody"}) == set()
    other = Extractor(extractor.checkpoint, extractor.data_dir, make_experiment(seed=9), CPU)
    with pytest.raises(ValueError, match=r"/best\.pt: .* seed .* stage 2 "):
        extract({tmp_path / "y": other}, 1)
    assert not (tmp_path / "y").exists()


def test_an_error_in_a_job_reaches_the_command(extractor: Extractor, tmp_path: Path) -> None:
    missing = Extractor(tmp_path / "finetuning/best.pt", extractor.data_dir, TINY, CPU)
    with pytest.raises(ValueError, match=r"/finetuning/best\.pt .* stage 3 "):
        extract({tmp_path / "x": missing}, 2)
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
        extract({tmp_path / backend: changed}, 2)
    names = {path.name for path in (tmp_path / "crop_distance").iterdir()}
    added = {"xvector_crops.scp", "spk2utt"}
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


def test_one_precision_for_all_folders_of_a_call(
    extractor: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chosen by a trial of the first, in which bfloat16 is made the slower here."""
    config = write_experiment(tmp_path / "tiny.yaml", TINY)
    monkeypatch.setattr(pace, "has_bfloat16", lambda device: True)

    def embed_where_slow(slow: Pace) -> dict[str, np.ndarray]:
        monkeypatch.setattr(pace, "time_step", lambda each, step: 1.0 + (each == slow))
        output = tmp_path / slow.precision
        command = f"--config {config} --device cpu --nj 1 --also {extractor.checkpoint} {output}/b"
        command += f" {extractor.checkpoint} {output}/a {extractor.data_dir}"
        monkeypatch.setattr("sys.argv", ["extract_embeddings.py", *command.split()])
        extract_embeddings.main()
        first, second = (
            read_by_kaldiio(output / f"{name}/xvectors_data/xvector.scp") for name in "ab"
        )
        assert all(np.array_equal(first[key], second[key]) for key in first)
        return first

    exact, rough = embed_where_slow(Pace("bfloat16", 1)), embed_where_slow(Pace("float32", 1))
    differences = [np.abs(exact[key] - rough[key]).max() for key in exact]
    assert 1e-5 < max(differences) < 2e-2


@pytest.mark.parametrize("method", ["whole", "crops"])
def test_a_trial_embeds_pieces_of_a_middling_utterance(
    method: str, extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"method": method, "num_crops": 2, "crop_frames": 30}
    experiment = make_experiment(extraction=options)
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(
        settling, "embed_pieces", lambda network, pieces, *_: seen.extend(map(np.shape, pieces))
    )
    make_trial(dataclasses.replace(extractor, experiment=experiment))(Pace("float32", 1))
    source = FeatureSource(extractor.data_dir, TINY)
    middling = sorted(map(source.num_voiced, source.utt2spk))[len(source.utt2spk) // 2]
    assert seen == ([(middling, MELS)] if method == "whole" else [(30, MELS)] * 2)
