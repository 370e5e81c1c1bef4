"""One phase of training: loss, batches, optimiser, schedule, augmentation."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from deep_speaker.config.losses import SINGLE_UTTERANCE_LOSSES, Loss
from deep_speaker.config.section import ConfigSection, Count, NonNegative, Positive, Share, Whole


class HeldOut(ConfigSection):
    """Training speakers set aside to judge every epoch by."""

    speaker_share: Share = 0.05
    max_speakers: Count = 200
    segments_per_speaker: Annotated[int, Field(ge=2, strict=True)] = 20


class Augmentation(ConfigSection):
    """Random changes of training chunks, in the log-mel domain; 0 turns each off."""

    equaliser_db: NonNegative = 0
    noise_probability: Share = 0
    noise_snr_db: tuple[float, float] = (0, 20)
    frequency_mask_bins: Whole = 0
    time_mask_frames: Whole = 0

    @property
    def is_on(self) -> bool:
        return self.of_log_features or bool(self.frequency_mask_bins or self.time_mask_frames)

    @property
    def of_log_features(self) -> bool:
        return bool(self.equaliser_db or self.noise_probability)

    @model_validator(mode="after")
    def check_noise(self) -> "Augmentation":
        lowest, highest = self.noise_snr_db
        if lowest > highest:
            raise ValueError(f"noise_snr_db [{lowest:g}, {highest:g}]: give the lower one first")
        return self


class Optimiser(ConfigSection):
    """`clip_norm`: the largest norm of the gradient of a step, longer ones are scaled down."""

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    momentum: Share = 0.99
    weight_decay: NonNegative = 0
    clip_norm: Positive | None = None


class Schedule(ConfigSection):
    """Options of all learning-rate schedules: linear warm-up from 0 to `initial`."""

    initial: Positive = 0.05
    warmup_share: Share = 0


class Fall(Schedule):
    """A fall to `final` over the rest of the steps, along a line or half a cosine."""

    shape: Literal["linear", "cosine"] = "linear"
    final: NonNegative = 0.005


class Step(Schedule):
    """Times `factor` after every `every_epochs` epochs."""

    shape: Literal["step"]
    factor: Share = 0.95
    every_epochs: Count = 10


class Plateau(Schedule):
    """Times `factor` whenever the held-out EER has not fallen for `every_epochs` epochs."""

    shape: Literal["plateau"]
    factor: Share = 0.5
    every_epochs: Count = 3


def _shape(value: object) -> str | None:
    if isinstance(value, dict):
        return value.get("shape", "linear")
    return getattr(value, "shape", None)


AnySchedule = Annotated[
    Annotated[Fall, Tag("linear")]
    | Annotated[Fall, Tag("cosine")]
    | Annotated[Step, Tag("step")]
    | Annotated[Plateau, Tag("plateau")],
    Discriminator(_shape),
]


class Training(ConfigSection):
    """One phase of training.

    Attributes:
        sampling: which speakers and utterances make a batch; see `samplers`.
        min_utterances: speakers with fewer, not counting augmented copies, do not train in this
            phase; a softmax keeps their classes, so that phases share them.
        pieces_per_chunk: a chunk is stitched from this many pieces of a speaker's utterances.
        steps_per_epoch: optimiser steps; None: one pass over the speech.
        batches_per_step: batches whose gradients are averaged before a step.
        synchronised_batch_norm: several ranks normalise by the statistics of all their chunks
            together, as one process would; otherwise each by its own.
        fixed_batch_norm: the running statistics that the phase starts with normalise while it
            trains, too, and stay.
        average_epochs: at the end, the mean of the weights of this many last epochs competes
            with the best epoch.
    """

    loss: Loss
    chunk_frames: Count = 160
    pieces_per_chunk: Count = 1
    min_utterances: Count = 1
    sampling: Literal["balanced", "over", "under", "stratified", "pairs"] = "balanced"
    speakers_per_batch: Count = 64
    utterances_per_speaker: Count = 1
    epochs: Count = 10
    steps_per_epoch: Count | None = None
    batches_per_step: Count = 1
    synchronised_batch_norm: bool = False
    fixed_batch_norm: bool = False
    patience: Count | None = None
    average_epochs: Count | None = None
    optimiser: Optimiser = Optimiser()
    schedule: AnySchedule = Fall()
    augmentation: Augmentation = Augmentation()

    @property
    def batch_size(self) -> int:
        return self.speakers_per_batch * self.utterances_per_speaker

    @model_validator(mode="after")
    def check_batch(self) -> "Training":
        name = self.loss.name
        if self.sampling == "pairs":
            if name != "contrastive":
                raise ValueError(f"sampling pairs is for the contrastive loss, not for {name}")
            if self.batch_size < 4 or self.batch_size % 2:
                raise ValueError(
                    f"speakers_per_batch times utterances_per_speaker, {self.batch_size}, is not "
                    "a number of pairs of both kinds: take an even one, 4 or more"
                )
            return self
        if name in SINGLE_UTTERANCE_LOSSES:
            return self
        if self.utterances_per_speaker < 2:
            raise ValueError(
                f"utterances_per_speaker {self.utterances_per_speaker} leaves the {name} loss "
                "without its positive: take 2 or more"
            )
        if self.speakers_per_batch < 2:
            raise ValueError(
                f"speakers_per_batch {self.speakers_per_batch} leaves the {name} loss without its "
                "negative: take 2 or more"
            )
        return self

    @model_validator(mode="after")
    def check_pieces(self) -> "Training":
        if self.chunk_frames % self.pieces_per_chunk:
            raise ValueError(
                f"chunk_frames {self.chunk_frames} is not a multiple of pieces_per_chunk "
                f"{self.pieces_per_chunk}"
            )
        return self


class TeacherTraining(Training):
    """The phase `distillation`: each chunk learns a teacher's embedding of the piece it lies in.

    Attributes:
        teacher_frames: voiced frames of a piece, about; None: all of an utterance.
        teacher_hears: what copies in rooms and noise learn: the embedding of their original, or
            that of the copy itself. Copies at another speed are always heard themselves.
        starts_from: `teacher`: the student is an ECAPA-TDNN smaller than its only teacher, and
            starts as that, slimmed; see `networks.ecapa_slimming`.
    """

    starts_from: Literal["random", "teacher"] = "random"
    teacher_frames: Count | None = 300
    teacher_hears: Literal["originals", "copies"] = "originals"

    @model_validator(mode="after")
    def check_stitching(self) -> "TeacherTraining":
        if self.pieces_per_chunk > 1:
            raise ValueError(
                f"pieces_per_chunk {self.pieces_per_chunk}: a stitched chunk has no embedding by "
                "the teacher: set it to 1"
            )
        return self
