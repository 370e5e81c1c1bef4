"""Between front end and network: voice activity, normalisation."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from deep_speaker.config.section import ConfigSection, NonNegative, Positive, Whole


class VoiceActivity(ConfigSection):
    """Energy voice activity detection with the meaning of Kaldi's compute-vad options.

    An `energy_threshold` of -1000 with a mean scale of 0 takes every frame for voiced.
    """

    energy_threshold: float = 5.5
    energy_mean_scale: NonNegative = 0.5
    proportion: Annotated[float, Field(gt=0, lt=1)] = 0.12  # Kaldi asserts that
    context: Whole = 2


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
