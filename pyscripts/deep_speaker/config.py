"""One experiment: every hyper-parameter of `conf/<experiment>.yaml`, typed and strict.

The YAML files comment each key with its unit; the defaults here are the Deep Speaker paper's
(Li et al. 2017, arXiv 1705.02304) where it states one.
"""

import difflib
import re
import types
import typing
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
# Whole numbers are strict, so that `true` is not 1; others are not: YAML reads 3e-3 as text.
Count = Annotated[int, Field(ge=1, strict=True)]
Whole = Annotated[int, Field(ge=0, strict=True)]


class ConfigSection(BaseModel):
    """A part of an experiment file: an unknown key is an error, and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Features(ConfigSection):
    """Log-mel filterbanks with the meaning of Kaldi's compute-fbank-feats options."""

    sampling_rate: Count = 16000
    num_mels: Count = 64
    frame_length_ms: Positive = 25
    frame_shift_ms: Positive = 10
    low_freq: NonNegative = 20
    high_freq: float = -400
    compression: Literal["two_byte", "none"] = "two_byte"

    @model_validator(mode="after")
    def check_band(self) -> "Features":
        nyquist = self.sampling_rate / 2
        high = self.high_freq if self.high_freq > 0 else nyquist + self.high_freq
        if not self.low_freq < high <= nyquist:
            raise ValueError(
                f"low_freq {self.low_freq:g} and high_freq {self.high_freq:g} Hz leave no band "
                f"below {nyquist:g} Hz (a negative high_freq counts down from there)"
            )
        return self

    @model_validator(mode="after")
    def check_frames(self) -> "Features":
        if self.frame_shift_ms * self.sampling_rate < 1000:
            raise ValueError(
                f"frame_shift_ms {self.frame_shift_ms:g} is less than a sample: give milliseconds"
            )
        if self.frame_length_ms < self.frame_shift_ms:
            raise ValueError(
                f"frame_length_ms {self.frame_length_ms:g} is less than frame_shift_ms "
                f"{self.frame_shift_ms:g}: frames would leave gaps"
            )
        return self


class VoiceActivity(ConfigSection):
    """Energy voice activity detection with the meaning of Kaldi's compute-vad options."""

    energy_threshold: float = 5.5
    energy_mean_scale: NonNegative = 0.5
    proportion: Share = 0.12
    context: Whole = 2


class Normalisation(ConfigSection):
    """What is taken from the voiced log-mel frames of an utterance before the network."""

    mean: Literal["utterance", "none"] = "utterance"
    scale: Literal["utterance"] | Positive = "utterance"


class Network(ConfigSection):
    name: Literal["rescnn"] = "rescnn"
    channels: tuple[Count, ...] = Field(default=(64, 128, 256, 512), min_length=1)
    blocks_per_stage: Count = 3
    embedding_dim: Count = 512


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

    @model_validator(mode="after")
    def check_noise(self) -> "Augmentation":
        lowest, highest = self.noise_snr_db
        if lowest > highest:
            raise ValueError(f"noise_snr_db [{lowest:g}, {highest:g}]: give the lower one first")
        return self


class Softmax(ConfigSection):
    """Classification of the training speakers; `scale` makes the logits scaled cosines."""

    name: Literal["softmax"]
    scale: Positive | None = None


class Triplet(ConfigSection):
    """Cosine triplet loss. `negatives` name the mining of equal parts of the training in turn."""

    name: Literal["triplet"]
    margin: NonNegative = 0.1
    negatives: tuple[Literal["random", "semi_hard", "hard"], ...] = Field(
        default=("semi_hard", "hard"), min_length=1
    )


class Optimiser(ConfigSection):
    name: Literal["sgd", "adamw"] = "sgd"
    momentum: Share = 0.99
    weight_decay: NonNegative = 0


class Schedule(ConfigSection):
    """Learning rate over the steps of a phase: linear warm-up, then a fall to `final`."""

    shape: Literal["linear", "cosine"] = "linear"
    initial: Positive = 0.05
    final: NonNegative = 0.005
    warmup_share: Share = 0


class Training(ConfigSection):
    """One phase of training."""

    loss: Annotated[Softmax | Triplet, Field(discriminator="name")]
    chunk_frames: Count = 160
    speakers_per_batch: Count = 64
    utterances_per_speaker: Count = 1
    epochs: Count = 10
    steps_per_epoch: Count | None = None
    patience: Count | None = None
    optimiser: Optimiser = Optimiser()
    schedule: Schedule = Schedule()
    augmentation: Augmentation = Augmentation()

    @property
    def batch_size(self) -> int:
        return self.speakers_per_batch * self.utterances_per_speaker

    @model_validator(mode="after")
    def check_batch(self) -> "Training":
        if self.loss.name == "triplet":
            if self.utterances_per_speaker < 2:
                raise ValueError(
                    f"utterances_per_speaker {self.utterances_per_speaker} leaves a triplet "
                    "without its positive: take 2 or more"
                )
            if self.speakers_per_batch < 2:
                raise ValueError(
                    f"speakers_per_batch {self.speakers_per_batch} leaves a triplet without its "
                    "negative: take 2 or more"
                )
        return self


class Extraction(ConfigSection):
    """Embeddings of whole utterances, or the mean over evenly spaced crops."""

    method: Literal["whole", "crops"] = "whole"
    max_frames: Count = 10000
    num_crops: Count = 10
    crop_frames: Count = 300


class Experiment(ConfigSection):
    """All of `conf/<experiment>.yaml`."""

    seed: Whole = 0
    features: Features = Features()
    voice_activity: VoiceActivity = VoiceActivity()
    normalisation: Normalisation = Normalisation()
    network: Network = Network()
    held_out: HeldOut = HeldOut()
    pretraining: Training
    finetuning: Training
    extraction: Extraction = Extraction()

    @model_validator(mode="after")
    def check_finetuning(self) -> "Experiment":
        if self.finetuning.patience:
            raise ValueError(
                f"finetuning.patience {self.finetuning.patience}: leave it out, as the control "
                "has to have the same number of steps"
            )
        return self


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML whose keys come once: PyYAML itself silently takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} comes twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def read_experiment(path: Path) -> Experiment:
    """Read and check an experiment file.

    Raises:
        ValueError: one line that names the file, the key, its value and the remedy.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such experiment file; see conf/")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected keys and values, found {content!r}")
    try:
        return Experiment.model_validate(content)
    except ValidationError as error:
        details = "; ".join(_explain(detail) for detail in error.errors())
        raise ValueError(f"{path}: {details}") from None


def _explain(detail: typing.Any) -> str:
    # Members of a union appear in the location by their tags or types, which no user wrote.
    location = [
        part
        for part in map(str, detail["loc"])
        if part not in ("softmax", "triplet") and not re.match(r"literal\[|constrained-", part)
    ]
    key = ".".join(location)
    if detail["type"] == "extra_forbidden":
        near = difflib.get_close_matches(location[-1], _known_keys(), n=1)
        return f"{key}: unknown key" + (f"; did you mean {near[0]}?" if near else "")
    if detail["type"].startswith("union_tag"):
        return f"{key}.name: expected softmax or triplet, got {detail['input']!r}"
    if detail["type"] == "missing":
        return f"{key}: missing"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" + (
        "" if "ctx" in detail and "error" in detail["ctx"] else f", got {detail['input']!r}"
    )


def _known_keys(section: type[BaseModel] = Experiment) -> list[str]:
    keys: list[str] = []
    for name, field in section.model_fields.items():
        keys.append(name)
        for member in _flatten(field.annotation):
            keys += _known_keys(member)
    return keys


def _flatten(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [found for part in typing.get_args(annotation) for found in _flatten(part)]
    return []
