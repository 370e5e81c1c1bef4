"""One experiment: every hyper-parameter of `conf/<experiment>.yaml`, typed and strict.

The YAML files comment each key with its unit; the defaults here are those of the papers where they
state one, above all Deep Speaker's (Li et al. 2017, arXiv 1705.02304).
"""

from typing import Literal

from pydantic import Field, model_validator

from deep_speaker.config.copies import AugmentedCopies
from deep_speaker.config.features import AnyVoiceActivity, Normalisation, Trimming, VoiceActivity
from deep_speaker.config.front_ends import Features, KaldiFilterbank, PythonSpeechFeatures
from deep_speaker.config.networks import ECAPATDNN, Network, ResCNN
from deep_speaker.config.scoring import Scoring
from deep_speaker.config.section import ConfigSection, Count, Whole
from deep_speaker.config.training import HeldOut, TeacherTraining, Training


class Extraction(ConfigSection):
    """Embeddings of whole utterances, or the mean of those of evenly spaced crops.

    `crops` are cut from the voiced frames of stage 1, `sample_crops` from all samples, voiced or
    not: the front end sees each of these alone, as in voxceleb_trainer. `fastest` is what is
    faster in a trial, bfloat16 or float32.
    """

    method: Literal["whole", "crops", "sample_crops"] = "whole"
    max_frames: Count = 10000
    num_crops: Count = 10
    crop_frames: Count = 300
    short_utterances: Literal["repeat", "zeros"] = "repeat"
    precision: Literal["fastest", "float32"] = "fastest"

    @property
    def by_crops(self) -> bool:
        return self.method != "whole"


class Experiment(ConfigSection):
    """All of `conf/<experiment>.yaml`.

    Without `augmented_copies` the network is trained on the utterances as they are; without
    `finetuning`, stage 3 has nothing to do. Stage 2 trains `distillation`, `pretraining`, or both.
    """

    seed: Whole = 0
    features: Features = KaldiFilterbank()
    voice_activity: AnyVoiceActivity = VoiceActivity()
    augmented_copies: AugmentedCopies | None = None
    normalisation: Normalisation = Normalisation()
    network: Network = Field(default=ResCNN(name="rescnn"))
    held_out: HeldOut = HeldOut()
    distillation: TeacherTraining | None = None
    pretraining: Training | None = None
    finetuning: Training | None = None
    extraction: Extraction = Extraction()
    scoring: Scoring = Scoring()

    @property
    def first_phase(self) -> Training:
        """The options of the first phase that is trained."""
        first = self.distillation or self.pretraining
        assert first is not None  # `check_phases`
        return first

    @property
    def slims_teacher(self) -> bool:
        """Whether distillation starts from its teacher, slimmed."""
        return self.distillation is not None and self.distillation.starts_from == "teacher"

    @model_validator(mode="after")
    def check_phases(self) -> "Experiment":
        if self.pretraining is None and self.distillation is None:
            raise ValueError("pretraining: missing, or null: give it, or distillation")
        for name, phase in self.named_phases():
            if phase and (phase.loss.name == "distillation") != (name == "distillation"):
                raise ValueError(
                    f"{name}.loss.name {phase.loss.name}: the loss of the section distillation is "
                    "distillation, which no other section has"
                )
        return self

    @model_validator(mode="after")
    def check_start(self) -> "Experiment":
        pooling = "context_attentive_statistics"
        fits = isinstance(self.network, ECAPATDNN) and self.network.pooling == pooling
        if self.slims_teacher and not fits:
            raise ValueError(
                f"distillation.starts_from teacher: needs network ecapa_tdnn with pooling {pooling}"
                f", not {self.network.name}: set it to random, or take that network"
            )
        return self

    def named_phases(self) -> list[tuple[str, Training | None]]:
        """Return the sections of training by their names."""
        names = ("distillation", "pretraining", "finetuning")
        return [(name, getattr(self, name)) for name in names]

    @model_validator(mode="after")
    def check_trimming(self) -> "Experiment":
        trimmed = isinstance(self.voice_activity, Trimming)
        if trimmed and not isinstance(self.features, PythonSpeechFeatures):
            raise ValueError(
                f"voice_activity.detector trimming with features.front_end "
                f"{self.features.front_end}: only the frames of python_speech_features begin at "
                "the first sample that is kept; set detector to energy, or that front end"
            )
        return self

    @model_validator(mode="after")
    def check_augmentation(self) -> "Experiment":
        for name, phase in self.named_phases():
            options = phase.augmentation if phase else None
            if options and options.of_log_features and not self.features.log:
                raise ValueError(
                    f"{name}.augmentation: equaliser_db and noise_probability are of log features: "
                    "set both to 0 where the front end takes no logarithm"
                )
        return self

    @model_validator(mode="after")
    def check_scoring(self) -> "Experiment":
        if "crop_distance" in self.scoring.backends and not self.extraction.by_crops:
            raise ValueError(
                "scoring.backends: crop_distance needs extraction.method crops or sample_crops"
            )
        return self

    @model_validator(mode="after")
    def check_sample_crops(self) -> "Experiment":
        # Stage 1 sums up the voiced frames of utterances, of which a crop's own frames are no part.
        if self.extraction.method == "sample_crops" and not self.normalisation.inside_network:
            raise ValueError(
                "extraction.method sample_crops needs normalisation.mean and scale chunk: set "
                "these, or the method to crops"
            )
        return self

    @model_validator(mode="after")
    def check_finetuning(self) -> "Experiment":
        if self.finetuning and self.finetuning.patience:
            raise ValueError(
                f"finetuning.patience {self.finetuning.patience}: leave it out, as the control "
                "has to have the same number of steps"
            )
        return self
