"""Back ends: from embeddings to the scores of trials."""

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from deep_speaker.config.section import ConfigSection, Count

Backend = Literal[
    "crop_distance", "cosine", "centred_cosine", "lda", "plda",
    "cosine_as_norm", "centred_cosine_as_norm", "lda_as_norm", "plda_as_norm",
]  # fmt: skip
# The first of them that scored a phase is its main one.
BACKENDS: tuple[Backend, ...] = get_args(Backend)
AS_NORM = "_as_norm"
# Those that need no training speakers.
UNFITTED: tuple[Backend, ...] = ("crop_distance", "cosine")


class Scoring(ConfigSection):
    """Back ends that score the trials; all but `UNFITTED` are fitted on training x-vectors.

    Attributes:
        backends: `cosine` of embeddings; `centred_cosine`: minus the mean of training; `lda`,
            `plda`: after these; `..._as_norm`: with adaptive s-norm; `crop_distance`: minus the
            mean Euclidean distance over all pairs of crops, as voxceleb_trainer scores.
        lda_dim: dimensions that LDA leaves, at most.
        cohort_size: of adaptive s-norm, the training speakers that are closest.
    """

    backends: tuple[Backend, ...] = ("cosine",)
    lda_dim: Count = 150
    cohort_size: Annotated[int, Field(ge=2, strict=True)] = 300

    @field_validator("backends")
    @classmethod
    def check_backends(cls, backends: tuple[Backend, ...]) -> tuple[Backend, ...]:
        if not backends or len(set(backends)) < len(backends):
            raise ValueError("at least one back end is needed, each named once")
        return backends
