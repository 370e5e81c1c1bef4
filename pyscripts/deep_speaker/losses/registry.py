"""The table of all losses; each family has a file of its own."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from deep_speaker.config import CLASSIFICATION_LOSSES, Contrastive, Distillation, Training
from deep_speaker.losses.base import SpeakerLoss
from deep_speaker.losses.centroids import AngularPrototypicalLoss, GE2ELoss, PrototypicalLoss
from deep_speaker.losses.classification import AAMSoftmaxLoss, AMSoftmaxLoss, SoftmaxLoss
from deep_speaker.losses.distillation import DistillationLoss
from deep_speaker.losses.pairs import ContrastiveLoss, LosslessTripletLoss, TripletLoss
from deep_speaker.losses.softmax_prototypical import SoftmaxPrototypicalLoss

LOSSES: dict[str, Callable[..., SpeakerLoss]] = {
    "softmax": SoftmaxLoss,
    "am_softmax": AMSoftmaxLoss,
    "aam_softmax": AAMSoftmaxLoss,
    "ge2e": GE2ELoss,
    "prototypical": PrototypicalLoss,
    "angular_prototypical": AngularPrototypicalLoss,
    "softmax_prototypical": SoftmaxPrototypicalLoss,
    "triplet": TripletLoss,
    "lossless_triplet": LosslessTripletLoss,
    "contrastive": ContrastiveLoss,
    "distillation": DistillationLoss,
}


def build_loss(
    training: Training,
    embedding_dim: int,
    num_speakers: int,
    seed: int,
    teacher_dim: int | None = None,
) -> SpeakerLoss:
    """Build the loss of a phase, its weights drawn from `seed`.

    Args:
        teacher_dim: of the embeddings that distillation learns; of other phases None.
    """
    torch.manual_seed(seed)
    config = training.loss
    kind = LOSSES[config.name]
    if isinstance(config, Distillation):
        return kind(
            config, embedding_dim, teacher_dim, classifier(config, embedding_dim, num_speakers)
        )
    if config.name in CLASSIFICATION_LOSSES:
        return kind(config, embedding_dim, num_speakers)
    if isinstance(config, Contrastive):
        return kind(config, adjacent_pairs=training.sampling == "pairs")
    return kind(config)


def classifier(config: Distillation, embedding_dim: int, num_speakers: int) -> SpeakerLoss | None:
    """Build the classification that is a part of distillation, if it is."""
    if config.classification is None:
        return None
    kind = LOSSES[config.classification.name]
    return kind(config.classification, embedding_dim, num_speakers)


def carry_over(loss: SpeakerLoss, weights: Mapping[str, Tensor]) -> bool:
    """Load the weights of a checkpoint's loss, if this loss has the same.

    Scaled softmax, AM- and AAM-softmax take over each other's vectors of the speakers; any other
    loss takes only the weights of its own kind.

    Args:
        weights: the checkpoint's state of its loss, by name.

    Returns:
        Whether the weights were loaded; a loss without any has none to load.
    """
    own = loss.state_dict()
    if not own or own.keys() != weights.keys():
        return False
    if any(own[name].shape != weights[name].shape for name in own):
        return False
    loss.load_state_dict(weights)
    return True
