"""The trainer of each phase: its speakers, first weights, batches, steps and gradients."""

from pathlib import Path

import numpy as np
import pytest
import torch

from deep_speaker.config import Experiment, networks
from deep_speaker.config.phases import trained_phases
from deep_speaker.networks.checkpoints import Checkpoint
from deep_speaker.training import trainer
from deep_speaker.training.setup import build_trainer
from deep_speaker.training.trainer import Trainer
from support.tiny_data import make_experiment, make_frames, write_features
from support.training_runs import CPU, TINY


def build(
    data_dir: Path,
    phase: str = "pretraining",
    initial: Checkpoint | None = None,
    experiment: Experiment = TINY,
) -> Trainer:
    return build_trainer(experiment, phase, data_dir, initial, CPU)


@pytest.fixture(scope="module")
def trained(data_dir: Path) -> Checkpoint:
    """A checkpoint after an epoch of pre-training."""
    built = build(data_dir)
    return built.checkpoint(1, [built.train_epoch(0, [])])


@pytest.mark.parametrize("phase", trained_phases(TINY))
def test_every_phase_trains_on_the_same_speakers_and_never_on_held_out_ones(
    phase: str, data_dir: Path, trained: Checkpoint
) -> None:
    initial = None if phase == "pretraining" else trained
    built = build(data_dir, phase, initial)
    drawn = {
        section.utterance
        for epoch in range(3)
        for sections, _ in built.sampler.epoch(20, np.random.default_rng(epoch))
        for section in sections
    }
    assert {utterance.split("-")[0] for utterance in drawn} == set(built.speakers)
    assert built.speakers == trained.speakers
    judged = {section.utterance for section in built.judge.sections}
    assert len(judged) == 3 * 5
    assert not judged & drawn


def test_a_batch_holds_the_speech_of_the_labelled_speakers(data_dir: Path) -> None:
    """Without augmentation, every chunk is found again in the arks of its label's speaker."""
    built = build(data_dir, "finetuning")
    batch = next(iter(built.draw_batches(0)[1]))
    for chunk, label in zip(batch.chunks.numpy(), batch.labels.tolist(), strict=True):
        speaker = built.speakers[label]
        frames = [
            built.source.read(built.source.whole(key)).tobytes()
            for key in built.source.utt2spk
            if key.startswith(speaker)
        ]
        assert any(chunk.tobytes() in whole for whole in frames)


def test_batches_follow_from_the_phase_and_the_epoch(data_dir: Path) -> None:
    def first_batch(phase: str, epoch: int) -> list[float]:
        built = build(data_dir, phase)
        return next(iter(built.draw_batches(epoch)[1])).chunks[:, :2].flatten().tolist()

    first = first_batch("pretraining", 0)
    assert first_batch("pretraining", 0) == first
    assert first_batch("pretraining", 1) != first
    assert first_batch("pretraining_continued", 0) != first


def test_one_pass_over_the_speech_is_the_default_epoch(data_dir: Path) -> None:
    experiment = make_experiment(
        pretraining={"steps_per_epoch": None, "chunk_frames": 40, "speakers_per_batch": 5}
    )
    built = build(data_dir, experiment=experiment)
    chunks = sum(
        built.source.num_voiced(key) // 40
        for key, speaker in built.source.utt2spk.items()
        if speaker in built.speakers
    )
    assert built.steps_per_epoch == chunks // 10 > 2


def test_the_rate_follows_the_schedule_over_all_steps(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def constant(_: object, progress: float, epoch: int, errors: list[float]) -> float:
        asked.append(progress)
        assert errors == [40.0] * epoch
        return 0.25

    monkeypatch.setattr(trainer, "learning_rate", constant)
    built = build(data_dir)
    for epoch in range(TINY.first_phase.epochs):
        figures = built.train_epoch(epoch, [40.0] * epoch)
        assert figures["learning_rate"] == 0.25
    assert asked == pytest.approx([i / 15 for i in range(15)])
    assert {group["lr"] for group in built.optimiser.param_groups} == {0.25}


def weights_after(data_dir: Path, **pretraining: object) -> torch.Tensor:
    """The network's last weights after one step by SGD."""
    experiment = make_experiment(
        pretraining={
            "steps_per_epoch": 1,
            "epochs": 1,
            "optimiser": {"name": "sgd", "momentum": 0},
            "schedule": {"initial": 1, "final": 1},
        }
        | pretraining
    )
    built = build(data_dir, experiment=experiment)
    start = built.network.state_dict()["affine.weight"].clone()
    built.train_epoch(0, [])
    return built.network.state_dict()["affine.weight"] - start


def test_gradients_of_several_batches_are_averaged(data_dir: Path) -> None:
    """Two batches of one step against the same two, each a step of its own from the start."""
    both = weights_after(data_dir, batches_per_step=2)
    first = weights_after(data_dir)
    experiment = make_experiment(pretraining={"steps_per_epoch": 2})
    built = build(data_dir, experiment=experiment)
    batches = list(built.draw_batches(0)[1])
    gradients = []
    for batch in batches:
        built.network.zero_grad()
        built.network.train()
        built.compute_loss(batch)[0].backward()
        gradient = built.network.get_parameter("affine.weight").grad
        assert gradient is not None
        gradients.append(gradient)
    assert torch.allclose(first, -gradients[0], atol=1e-2, rtol=0.05)
    assert torch.allclose(both, -(gradients[0] + gradients[1]) / 2, atol=1e-2, rtol=0.05)
    assert not torch.allclose(both, first, atol=1e-2, rtol=0.05)


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"pretraining": {"chunk_frames": 12}}, r"^pretraining\.chunk_frames .* 12"),
        (
            {"extraction": {"method": "crops", "crop_frames": 8}},
            r"^extraction\.crop_frames .* 8",
        ),
        ({"extraction": {"max_frames": 20}}, r"^extraction\.max_frames .* 10"),
    ],
)
def test_inputs_too_short_for_the_network_are_refused_before_training(
    sections: dict[str, dict], key: str, data_dir: Path
) -> None:
    experiment = make_experiment(**sections).model_copy(
        update={"network": networks.TDNN(name="tdnn", channels=4, pooled_channels=8)}
    )
    with pytest.raises(ValueError, match=f"{key} .* tdnn .* 15 "):
        build(data_dir, experiment=experiment)


def test_a_long_gradient_is_clipped(data_dir: Path) -> None:
    free = weights_after(data_dir)
    options = {"name": "sgd", "momentum": 0, "clip_norm": 1e-3}
    clipped = weights_after(data_dir, optimiser=options)
    assert 0 < clipped.norm() <= 1e-3 < free.norm()
    direction = torch.nn.functional.cosine_similarity(clipped.flatten(), free.flatten(), dim=0)
    assert direction > 0.99


def test_fine_tuning_starts_from_the_checkpoints_network(
    data_dir: Path, trained: Checkpoint
) -> None:
    network = build(data_dir, "finetuning", trained).network.state_dict()
    assert network.keys() == trained.network.keys()
    assert all(torch.equal(network[name], trained.network[name]) for name in network)
    cold = build(data_dir, "finetuning").network.state_dict()
    assert not torch.equal(network["affine.weight"], cold["affine.weight"])


# Continuing the pre-training, the control of fine-tuning


def test_continued_pretraining_starts_from_the_head_too(
    data_dir: Path, trained: Checkpoint
) -> None:
    built = build(data_dir, "pretraining_continued", trained)
    for found, expected in (
        (built.loss.state_dict(), trained.loss),
        (built.network.state_dict(), trained.network),
    ):
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in found)


@pytest.mark.parametrize("steps_per_epoch", [4, None])
def test_continued_pretraining_has_fine_tunings_number_of_steps(
    steps_per_epoch: int | None, data_dir: Path
) -> None:
    """Also where an epoch is one pass over the speech and the batches differ in size."""
    experiment = make_experiment(
        pretraining={"speakers_per_batch": 5, "utterances_per_speaker": 1},
        finetuning={"steps_per_epoch": steps_per_epoch},
    )
    tuning, control = (
        build(data_dir, phase, experiment=experiment)
        for phase in ("finetuning", "pretraining_continued")
    )
    assert control.training.epochs == tuning.training.epochs
    assert control.steps_per_epoch == tuning.steps_per_epoch


def test_continued_pretraining_needs_the_same_speakers(trained: Checkpoint, tmp_path: Path) -> None:
    others = write_features(tmp_path / "data", make_frames(9), TINY)
    with pytest.raises(ValueError, match=r" pretraining .* 5 .* 5 .* stage 2 "):
        build(others, "pretraining_continued", trained)


def test_continued_pretraining_from_a_checkpoint_without_its_head_is_refused(
    data_dir: Path, trained: Checkpoint
) -> None:
    tuned = build(data_dir, "finetuning", trained).checkpoint(1, [])
    with pytest.raises(ValueError, match=" finetuning "):
        build(data_dir, "pretraining_continued", tuned)
