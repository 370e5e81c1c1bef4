"""The loss of distillation: how far embeddings lie from those of a teacher."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deep_speaker.config import Distillation
from deep_speaker.losses.base import LossResult, SpeakerLoss, in_float32


class DistillationLoss(SpeakerLoss):
    """Mean distance to the teacher's embeddings of the same speech, which have unit length.

    Wang et al. 2019 (Knowledge distillation for small footprint deep speaker embedding, ICASSP)
    learn embeddings by their cosine, or by their mean squared error. `cosine` is 1 minus the
    cosine, and leaves the length free; `squared` is the squared Euclidean distance of the
    embedding as the network gives it, which learns the teacher's unit length, too.

    Where the dimensions differ, an affine layer maps the unit-length embedding, by which trials are
    scored, to the teacher's dimension.

    Args:
        teacher_dim: of the teacher's embeddings.
        classification: a loss of the speakers that is added, times the weight of the options.
    """

    def __init__(
        self,
        config: Distillation,
        embedding_dim: int,
        teacher_dim: int,
        classification: SpeakerLoss | None,
    ) -> None:
        super().__init__()
        self.config = config
        self.classification = classification
        same = embedding_dim == teacher_dim
        self.projection = None if same else nn.Linear(embedding_dim, teacher_dim)

    def project(self, embeddings: Tensor) -> Tensor:
        """Map embeddings (batch, dim) to what is compared: (batch, teacher's dim)."""
        if self.projection is None:
            return embeddings
        return self.projection(F.normalize(embeddings, dim=1))

    def distance(self, embeddings: np.ndarray, targets: np.ndarray) -> float:
        """Return the mean cosine distance of embeddings (any, dim) to targets (any, teacher's)."""
        device = next((each.device for each in self.parameters()), torch.device("cpu"))
        with torch.inference_mode():
            projected = self.project(torch.from_numpy(embeddings).to(device)).cpu()
            return (
                1 - F.cosine_similarity(projected, torch.from_numpy(targets), dim=1).mean().item()
            )

    @in_float32
    def forward(self, embeddings: Tensor, labels: Tensor, targets: Tensor) -> LossResult:
        """Return the mean loss of embeddings (batch, dim) with speakers' numbers (batch,).

        Args:
            targets: the teacher's embeddings, unit length, shape (batch, teacher's dim).

        Returns:
            The loss, and figures to log: `teacher_cosine`, the mean cosine to the targets, and
            those of the classification.
        """
        projected = self.project(embeddings)
        cosine = F.cosine_similarity(projected, targets, dim=1).mean()
        if self.config.distance == "cosine":
            loss = 1 - cosine
        else:
            loss = (projected - targets).square().sum(dim=1).mean()
        figures: dict[str, Tensor | float] = {"teacher_cosine": cosine.detach()}
        if self.classification is not None:
            self.classification.progress = self.progress
            of_speakers, more = self.classification(embeddings, labels)
            loss = loss + self.config.classification_weight * of_speakers
            figures |= more
        return loss, figures
