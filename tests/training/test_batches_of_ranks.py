"""The part of every batch that a rank makes: what one process alone would make."""

from pathlib import Path

import pytest
import torch

from deep_speaker.config import Experiment
from deep_speaker.features.source import FeatureSource, Section
from deep_speaker.kaldi.tables import write_table
from deep_speaker.training import ranks
from deep_speaker.training.batches import Batch, make_batches
from support.tiny_data import make_experiment, make_frames, write_features


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FeatureSource:
    experiment = make_experiment()
    folder = tmp_path_factory.mktemp("data") / "train"
    return FeatureSource(write_features(folder, make_frames(2, 2), experiment), experiment)


def make(
    source: FeatureSource, drawn: list[tuple[list[Section], list[int]]], experiment: Experiment
) -> list[Batch]:
    return list(make_batches(source, drawn, experiment.first_phase, experiment, (3, 0, 1)))


def be_rank(monkeypatch: pytest.MonkeyPatch, rank: int, num_ranks: int) -> None:
    monkeypatch.setattr(ranks, "rank", lambda: rank)
    monkeypatch.setattr(ranks, "world_size", lambda: num_ranks)


@pytest.mark.parametrize("pieces", [1, 2])
def test_ranks_take_contiguous_parts_of_whole_speakers(
    source: FeatureSource, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    experiment = make_experiment(pretraining={"augmentation": {}, "pieces_per_chunk": pieces})
    of_speakers = [
        [Section(f"{speaker}-{i % 2}", i, i + 24 // pieces) for i in range(3 * pieces)]
        for speaker in ("s00", "s01")
    ]
    drawn = [(of_speakers[0] + of_speakers[1], [0, 0, 0, 1, 1, 1])]
    (whole,) = make(source, drawn, experiment)
    parts = []
    for rank in range(2):
        be_rank(monkeypatch, rank, 2)
        parts += make(source, drawn, experiment)
    assert all(torch.equal(part.labels, whole.labels) for part in parts)
    assert torch.equal(torch.cat([part.chunks for part in parts]), whole.chunks)


EVERY_CHANGE = {
    "equaliser_db": 4,
    "noise_probability": 0.5,
    "frequency_mask_bins": 4,
    "time_mask_frames": 8,
}


@pytest.mark.parametrize("mean", ["utterance", "chunk"])
def test_ranks_make_the_chunks_that_one_process_would(
    mean: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, with every change, and an utterance or its copy at random."""
    normalisation = {"mean": mean, "scale": "chunk" if mean == "chunk" else 3}
    experiment = make_experiment(
        normalisation=normalisation, pretraining={"augmentation": EVERY_CHANGE}
    )
    frames = make_frames(4, 1)
    copies = {f"{key}-a": frames[key] * 2 for key in frames}
    folder = write_features(tmp_path / "train", frames | copies, experiment)
    write_table(folder / "utt2uniq", {key: key[:5] for key in frames | copies})
    source = FeatureSource(folder, experiment)
    sections = [Section(f"s{i:02}-0", i, i + 24) for i in range(4)]
    drawn = [(sections, [0, 1, 2, 3])] * 3
    whole = make(source, drawn, experiment)
    for num_ranks in (2, 4):
        parts = []
        for rank in range(num_ranks):
            be_rank(monkeypatch, rank, num_ranks)
            parts.append(make(source, drawn, experiment))
        for batch, *of_ranks in zip(whole, *parts, strict=True):
            assert torch.equal(torch.cat([part.chunks for part in of_ranks]), batch.chunks)
            assert all(torch.equal(part.labels, batch.labels) for part in of_ranks)


@pytest.mark.parametrize(
    ("sampling", "labels", "num_ranks", "message"),
    [
        ("balanced", [0, 0, 1, 1, 2, 2], 2, r"batches of 3 speakers \(speakers_per_batch 6\)"),
        ("balanced", [0, 0, 0, 0], 2, r"batches of 1 speakers \(speakers_per_batch 6\)"),
        ("pairs", [0, 0, 0, 1, 1, 1], 2, r"batches of 3 pairs \(speakers_per_batch 6\)"),
    ],
)
def test_speakers_that_do_not_divide_over_the_ranks_are_refused(
    source: FeatureSource,
    monkeypatch: pytest.MonkeyPatch,
    sampling: str,
    labels: list[int],
    num_ranks: int,
    message: str,
) -> None:
    loss = {"name": "contrastive"} if sampling == "pairs" else {"name": "softmax"}
    experiment = make_experiment(pretraining={"sampling": sampling, "loss": loss})
    be_rank(monkeypatch, 0, num_ranks)
    drawn = [([Section("s00-0", 0, 24)] * len(labels), labels)]
    with pytest.raises(ValueError, match=f"{message} .* {num_ranks} ranks"):
        make(source, drawn, experiment)


def test_pairs_stay_together_on_a_rank(
    source: FeatureSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = make_experiment(
        pretraining={"sampling": "pairs", "loss": {"name": "contrastive"}, "augmentation": {}}
    )
    sections = [Section("s00-0", start, start + 24) for start in range(8)]
    drawn = [(sections, [0, 0, 0, 1, 1, 1, 1, 0])]
    be_rank(monkeypatch, 1, 2)
    assert torch.equal(
        make(source, drawn, experiment)[0].chunks,
        torch.from_numpy(source.read_chunks(sections[4:], 24)),
    )
