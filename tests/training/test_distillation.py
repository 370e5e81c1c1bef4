"""The phase distillation: what it learns, by what its epochs are chosen, and its runs."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from deep_speaker.config import Experiment
from deep_speaker.features.source import FeatureSource
from deep_speaker.kaldi.tables import write_table
from deep_speaker.networks.checkpoints import load_checkpoint
from deep_speaker.training import ranks
from deep_speaker.training.history import best_epoch
from deep_speaker.training.loop import train
from deep_speaker.training.setup import build_trainer
from deep_speaker.training.trainer import Trainer
from support.rank_processes import run_in_ranks
from support.teachers import make_student, write_targets
from support.tiny_data import make_frames, write_features
from support.training_runs import ASKED, CPU, assert_same, interrupt

STUDENT = make_student()


@pytest.fixture(scope="module")
def teacher(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_targets(tmp_path_factory.mktemp("teachers") / "a", data_dir, STUDENT)


def build(data_dir: Path, *teachers: Path, experiment: Experiment = STUDENT) -> Trainer:
    return build_trainer(experiment, "distillation", data_dir, None, CPU, teachers)


def run(
    data_dir: Path,
    output: Path,
    *teachers: Path,
    experiment: Experiment = STUDENT,
    resume: bool = False,
) -> list[dict[str, float]]:
    train(experiment, "distillation", data_dir, output, None, resume, CPU, ASKED, teachers)
    return load_checkpoint(output / "last.pt").history


def test_every_chunk_lies_in_a_piece_and_comes_with_its_embedding(
    data_dir: Path, teacher: Path
) -> None:
    experiment = make_student({"augmentation": {}})
    built = build(data_dir, teacher, experiment=experiment)
    assert built.targets is not None
    source, seen = FeatureSource(data_dir, experiment), 0
    pieces = {
        piece.utterance: built.targets.pieces(piece.utterance)
        for found in built.sampler.utterances
        for piece in found
    }
    batch = next(iter(built.draw_batches(0)[1]))
    assert batch.targets is not None
    for chunk, target in zip(batch.chunks.numpy(), batch.targets.numpy(), strict=True):
        for piece in (piece for found in pieces.values() for piece in found):
            frames = source.read(piece)
            starts = range(max(1, len(frames) - 24 + 1))
            if any(np.array_equal(frames[start : start + 24], chunk[:24]) for start in starts):
                assert target == pytest.approx(built.targets.of(piece), abs=1e-6)
                seen += 1
    assert seen == len(batch.chunks)


def test_the_student_comes_close_to_the_teacher_also_on_held_out_speakers(
    data_dir: Path, teacher: Path, tmp_path: Path
) -> None:
    experiment = make_student({"epochs": 6, "steps_per_epoch": 20, "augmentation": {}})
    untrained = build(data_dir, teacher, experiment=experiment).judge_network()
    history = run(data_dir, tmp_path / "run", teacher, experiment=experiment)
    distances = [figures["held_out_distance"] for figures in history]
    assert distances[-1] < 0.3 * untrained["held_out_distance"]
    assert history[-1]["teacher_cosine"] > 0.9
    assert "held_out_eer_percent" in history[-1]
    best = load_checkpoint(tmp_path / "run/best.pt")
    assert best.epochs == 1 + int(np.argmin(distances))


def test_the_held_out_distance_is_that_of_their_utterances(data_dir: Path, teacher: Path) -> None:
    built = build(data_dir, teacher)
    embeddings = built.judge.embed(built.network, CPU, "float32")
    assert built.targets is not None
    cosines = [
        float(embedding @ built.targets.of(section))
        for embedding, section in zip(embeddings, built.judge.sections, strict=True)
    ]
    found = built.judge_network()["held_out_distance"]
    assert found == pytest.approx(1 - np.mean(cosines), abs=1e-5)


def test_epochs_are_chosen_by_the_distance_not_by_the_error() -> None:
    history = [
        {"held_out_eer_percent": 1.0, "held_out_distance": 0.5},
        {"held_out_eer_percent": 3.0, "held_out_distance": 0.2},
        {"held_out_eer_percent": 2.0, "held_out_distance": 0.3},
    ]
    assert best_epoch(history) == 1
    assert best_epoch([{"held_out_eer_percent": error} for error in (1.0, 3.0, 2.0)]) == 0


def test_an_interrupted_and_resumed_run_equals_an_uninterrupted_one(
    data_dir: Path, teacher: Path, tmp_path: Path
) -> None:
    run(data_dir, tmp_path / "whole", teacher)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 1)
        run(data_dir, tmp_path / "resumed", teacher)
    torch.manual_seed(12345)
    run(data_dir, tmp_path / "resumed", teacher, resume=True)
    for name in ("initial.pt", "best.pt", "last.pt"):
        assert_same(
            load_checkpoint(tmp_path / "whole" / name), load_checkpoint(tmp_path / "resumed" / name)
        )


def test_resuming_by_other_teachers_is_refused(
    data_dir: Path, teacher: Path, tmp_path: Path
) -> None:
    other = write_targets(tmp_path / "b", data_dir, STUDENT)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, 1)
        run(data_dir, tmp_path / "run", teacher)
    told = r"/run\.partial was begun by other teachers: undo that, or start anew without"
    with pytest.raises(ValueError, match=told):
        run(data_dir, tmp_path / "run", teacher, other, resume=True)


def test_min_utterances_counts_utterances_not_their_pieces(tmp_path: Path) -> None:
    frames = make_frames(8, 2)
    del frames["s07-1"]  # two pieces are left, of one utterance
    experiment = make_student({"min_utterances": 2}, held_out={"speaker_share": 0.2})
    data_dir = write_features(tmp_path / "data", frames, experiment)
    built = build(
        data_dir, write_targets(tmp_path / "a", data_dir, experiment), experiment=experiment
    )
    assert "s07" in built.speakers
    drawn = {section.utterance for found in built.sampler.utterances for section in found}
    assert not any(utterance.startswith("s07") for utterance in drawn)
    assert len(built.sampler.utterances) == len(built.speakers) - 1


def test_recordings_that_are_speakers_of_their_own_train(tmp_path: Path) -> None:
    """As of speech without labels."""
    frames = make_frames(8, 1, num_frames=150)
    data_dir = write_features(tmp_path / "data", frames, STUDENT)
    table = {key: key for key in frames}
    write_table(data_dir / "utt2spk", table)
    write_table(data_dir / "spk2utt", table)
    history = run(data_dir, tmp_path / "run", write_targets(tmp_path / "a", data_dir, STUDENT))
    assert len(history) == 3
    assert all(0 <= figures["held_out_distance"] <= 2 for figures in history)


def test_other_dimensions_classification_and_two_teachers(
    data_dir: Path, teacher: Path, tmp_path: Path
) -> None:
    loss = {"name": "distillation", "distance": "squared", "classification": {"name": "am_softmax"}}
    second = write_targets(tmp_path / "b", data_dir, STUDENT, dimension=5)
    experiment = make_student({"loss": loss})
    history = run(data_dir, tmp_path / "run", teacher, second, experiment=experiment)
    assert history[-1]["loss"] < history[0]["loss"]
    assert {"teacher_cosine", "accuracy"} <= history[-1].keys()


def test_pre_training_goes_on_from_it(data_dir: Path, teacher: Path, tmp_path: Path) -> None:
    experiment = make_student(pretraining={"loss": {"name": "softmax", "scale": 10}})
    run(data_dir, tmp_path / "distillation", teacher, experiment=experiment)
    start = load_checkpoint(tmp_path / "distillation/best.pt")
    built = build_trainer(experiment, "pretraining", data_dir, start, CPU)
    state = built.network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in start.network.items())


def step(data_dir: Path, teacher: Path, device: torch.device) -> tuple[torch.Tensor, float]:
    """Take a step, and return by how much each weight changed, and the loss."""
    built = build_trainer(ONE_STEP, "distillation", data_dir, None, device, [teacher])
    before = flatten(built.network)
    loss = built.train_epoch(0, [])["loss"]
    return flatten(built.network) - before, loss


def flatten(network: nn.Module) -> torch.Tensor:
    return torch.cat([weights.detach().flatten() for weights in network.parameters()])


def step_in_ranks(data_dir: Path, teacher: Path) -> tuple[torch.Tensor, float]:
    with ranks.start(CPU) as device:
        return step(data_dir, teacher, device)


ONE_STEP = make_student(
    {
        "synchronised_batch_norm": True,
        "steps_per_epoch": 1,
        "speakers_per_batch": 4,
        "optimiser": {"name": "sgd", "momentum": 0},
    }
)


@pytest.mark.slow
def test_two_ranks_learn_what_one_does(data_dir: Path, teacher: Path, tmp_path: Path) -> None:
    """To rounding, in bfloat16 where there is it."""
    change, loss = step(data_dir, teacher, CPU)
    for found, of_rank in run_in_ranks(partial(step_in_ranks, data_dir, teacher), 2, tmp_path):
        assert of_rank == pytest.approx(loss, rel=2e-2)
        assert (found - change).norm() < 0.1 * change.norm()
