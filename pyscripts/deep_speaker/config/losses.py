"""Options of the losses; the defaults are the published ones."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from deep_speaker.config.section import ConfigSection, Count, NonNegative, Positive, Share


class Softmax(ConfigSection):
    """Classification of the training speakers; `scale` makes the logits scaled cosines.

    `hidden_dims`: ReLU, batch normalisation and an affine layer each between the embedding and
    the classes, as in Kaldi's x-vector network.
    """

    name: Literal["softmax"]
    scale: Positive | None = None
    hidden_dims: tuple[Count, ...] = ()

    @model_validator(mode="after")
    def check_scale(self) -> "Softmax":
        if self.scale and self.hidden_dims:
            raise ValueError(
                f"scale {self.scale:g} with hidden_dims {list(self.hidden_dims)}: scaled cosines "
                "are of the embedding itself; leave one of them out"
            )
        return self


class MarginSoftmax(ConfigSection):
    """Options that AM- and AAM-softmax share.

    The margin is 0 up to the share `margin_from` of the steps, and rises linearly to its full
    value at `margin_to`. A speaker has `sub_centres` weight vectors, of which the nearest counts:
    several where his recordings differ much (Deng et al. 2020, Sub-center ArcFace, ECCV).
    """

    scale: Positive = 30
    margin: NonNegative = 0.3
    sub_centres: Count = 1
    margin_from: Share = 0
    margin_to: Share = 0

    @model_validator(mode="after")
    def check_rise(self) -> "MarginSoftmax":
        if self.margin_from > self.margin_to:
            raise ValueError(
                f"margin_from {self.margin_from:g} lies after margin_to {self.margin_to:g}"
            )
        return self


class AMSoftmax(MarginSoftmax):
    """Additive margin on the cosine (Wang et al. 2018)."""

    name: Literal["am_softmax"]


class AAMSoftmax(MarginSoftmax):
    """Additive margin on the angle, radians (Deng et al. 2019)."""

    name: Literal["aam_softmax"]


class LearnedScale(ConfigSection):
    """First values of the scale and bias of cosines, which are learned."""

    initial_scale: Positive = 10
    initial_bias: float = -5


class GE2E(LearnedScale):
    """Generalised end-to-end softmax loss (Wan et al. 2018)."""

    name: Literal["ge2e"]


class Prototypical(ConfigSection):
    """Prototypical networks (Snell et al. 2017): squared Euclidean distances to centroids."""

    name: Literal["prototypical"]


class AngularPrototypical(LearnedScale):
    """Angular prototypical loss (Chung et al. 2020): scaled cosines to centroids."""

    name: Literal["angular_prototypical"]


class SoftmaxPrototypical(LearnedScale):
    """Sum of softmax and angular prototypical loss (Kwon et al. 2021)."""

    name: Literal["softmax_prototypical"]


class Mined(ConfigSection):
    """Losses that pick negatives; `negatives` name the way of equal parts of the steps in turn."""

    negatives: tuple[Literal["random", "semi_hard", "hard"], ...] = Field(
        default=("semi_hard", "hard"), min_length=1
    )


class Triplet(Mined):
    """Cosine triplet loss (Li et al. 2017)."""

    name: Literal["triplet"]
    margin: NonNegative = 0.1


class LosslessTriplet(Mined):
    """Triplet loss without a margin, whose gradient never vanishes (Arsenault 2018)."""

    name: Literal["lossless_triplet"]
    epsilon: Positive = 1e-8


class Contrastive(Mined):
    """Contrastive loss of Euclidean distances between unit vectors (Hadsell et al. 2006)."""

    name: Literal["contrastive"]
    margin: NonNegative = 1


class Distillation(ConfigSection):
    """Distance of the embeddings to those of a teacher (Wang et al. 2019); needs no labels.

    `classification` adds the loss of the training speakers, times its weight.
    """

    name: Literal["distillation"]
    distance: Literal["cosine", "squared"] = "cosine"
    classification: (
        Annotated[Softmax | AMSoftmax | AAMSoftmax, Field(discriminator="name")] | None
    ) = None
    classification_weight: Positive = 0.1


# Losses with weights for every training speaker, and those that take one utterance of a speaker.
CLASSIFICATION_LOSSES = ("softmax", "am_softmax", "aam_softmax", "softmax_prototypical")
SINGLE_UTTERANCE_LOSSES = ("softmax", "am_softmax", "aam_softmax", "distillation")

Loss = Annotated[
    Softmax
    | AMSoftmax
    | AAMSoftmax
    | GE2E
    | Prototypical
    | AngularPrototypical
    | SoftmaxPrototypical
    | Triplet
    | LosslessTriplet
    | Contrastive
    | Distillation,
    Field(discriminator="name"),
]
