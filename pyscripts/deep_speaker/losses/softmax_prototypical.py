"""The sum of a loss that classifies the training speakers and one that compares utterances."""

from torch import Tensor

from deep_speaker.config import Softmax, SoftmaxPrototypical
from deep_speaker.losses.base import LossResult, SpeakerLoss
from deep_speaker.losses.centroids import AngularPrototypicalLoss
from deep_speaker.losses.classification import SoftmaxLoss
from deep_speaker.networks.devices import move


class SoftmaxPrototypicalLoss(SpeakerLoss):
    """Softmax of all embeddings plus angular prototypical loss (Kwon et al. 2021).

    arXiv 2010.15809. Both terms weigh the same, and the softmax is a plain affine layer, as in
    voxceleb_trainer, which takes two utterances of a speaker; here there may be more.
    """

    groups_by_label = True

    def __init__(self, config: SoftmaxPrototypical, embedding_dim: int, num_speakers: int) -> None:
        super().__init__()
        self.softmax = SoftmaxLoss(Softmax(name="softmax"), embedding_dim, num_speakers)
        self.prototypical = AngularPrototypicalLoss(config)

    def forward(self, embeddings: Tensor, labels: Tensor) -> LossResult:
        """Return the loss of embeddings (speakers * utterances, dim), laid out speaker by speaker.

        Returns:
            The loss, and figures to log: `accuracy`, the share of the batch that the softmax
            classifies rightly, and `prototypical_accuracy`, that of the queries.

        Raises:
            ValueError: see `reshape_by_speaker`.
        """
        compared, of_queries = self.prototypical(embeddings, labels)
        classified, figures = self.softmax(embeddings, move(labels, embeddings.device))
        return classified + compared, figures | {"prototypical_accuracy": of_queries["accuracy"]}
