"""One experiment: every hyper-parameter of `conf/<experiment>.yaml`, typed and strict.

The YAML files comment each key with its unit; the defaults here are those of the papers where they
state one, above all Deep Speaker's (Li et al. 2017, arXiv 1705.02304).
"""

from typing import Literal

from pydantic import Field, model_validator

from deep_speaker.config.copies import AugmentedCopies
from deep_speaker.config.features import AnyVoiceActivity, Normalisation, Trimming, VoiceActivity
from deep_speaker.config.front_ends import Features, KaldiFilterbank, PythonSpeechFeatures
from deep_speaker.config.networks import Network, ResCNN
from deep_speaker.config.scoring import Scoring
from deep_speaker.config.section import ConfigSection, Count, Whole
from deep_speaker.config.training import HeldOut, Training


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
    `finetuning`, stage 3 has nothing to do.
    """

    seed: Whole = 0
    features: Features = KaldiFilterbank()
    voice_activity: AnyVoiceActivity = VoiceActivity()
    augmented_copies: AugmentedCopies | None = None
    normalisation: Normalisation = Normalisation()
    network: Network = Field(default=ResCNN(name="rescnn"))
    held_out: HeldOut = HeldOut()
    pretraining: Training
    finetuning: Training | None = None
    extraction: Extraction = Extraction()
    scoring: Scoring = Scoring()

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
        for name, phase in (("pretraining", self.pretraining), ("finetuning", self.finetuning)):
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
