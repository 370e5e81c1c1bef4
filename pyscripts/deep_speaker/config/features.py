"""Between front end and network: voice activity, normalisation."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from deep_speaker.config.section import ConfigSection, NonNegative, Positive, Whole


class VoiceActivity(ConfigSection):
    """Energy voice activity detection with the meaning of Kaldi's compute-vad options.

    An `energy_threshold` of -1000 with a mean scale of 0 takes every frame for voiced.
    """

    detector: Literal["energy"] = "energy"
    energy_threshold: float = 5.5
    energy_mean_scale: NonNegative = 0.5
    proportion: Annotated[float, Field(gt=0, lt=1)] = 0.12  # Kaldi asserts that
    context: Whole = 2


class Trimming(ConfigSection):
    """From the first to the last sample whose amplitude exceeds a percentile of all.

    As Philippe Rémy's Deep Speaker has it; the frames begin at the first sample that is kept.
    """

    detector: Literal["trimming"]
    percentile: Annotated[float, Field(gt=0, lt=100)] = 95


def _detector(value: object) -> str | None:
    if isinstance(value, dict):
        return value.get("detector", "energy")
    return getattr(value, "detector", None)


AnyVoiceActivity = Annotated[
    Annotated[VoiceActivity, Tag("energy")] | Annotated[Trimming, Tag("trimming")],
    Discriminator(_detector),
]


class Normalisation(ConfigSection):
    """Mean and scale taken from the voiced frames before the network.

    `utterance`: of the whole utterance. `chunk`: of just the frames the network is given, inside
    it (instance normalisation, as voxceleb_trainer has it); of mean and scale together.
    """

    mean: Literal["utterance", "chunk", "none"] = "utterance"
    scale: Literal["utterance", "chunk"] | Positive = "utterance"

    @model_validator(mode="after")
    def check_chunk(self) -> "Normalisation":
        if (self.mean == "chunk") != (self.scale == "chunk"):
            raise ValueError(
                f"mean {self.mean}, scale {self.scale}: chunk goes for both or for neither"
            )
        return self

    @property
    def inside_network(self) -> bool:
        return self.mean == "chunk"
