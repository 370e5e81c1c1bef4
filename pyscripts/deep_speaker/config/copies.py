"""Augmented copies of the training utterances: rooms, noise, music, babble, speed and volume.

The defaults are those of Kaldi's x-vector recipe for VoxCeleb (egs/voxceleb/v2/run.sh; Snyder et
al. 2018), which changes neither speed nor volume.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from deep_speaker.config.section import ConfigSection, Count, NonNegative, Positive

Kind = Literal["reverberation", "noise", "music", "babble"]
Decibels = Annotated[tuple[float, ...], Field(min_length=1)]


class AugmentedCopies(ConfigSection):
    """Copies that stage 1 makes of the training utterances, as further ones.

    Attributes:
        kinds: of copies with a room or with something added. Signal-to-noise ratios are drawn
            from the lists, per noise, piece of music or speaker of the babble.
        copies_per_utterance: the mean number of them that is kept, at random.
        noise_interval_s: pause between one noise and the next, in seconds.
        babble_speakers: fewest and most; each has a ratio of its own.
        speeds: of further copies, all kept, which count as new speakers `sp0.9-<speaker>`.
        volume: range of a factor for every copy.
    """

    kinds: tuple[Kind, ...] = ("reverberation", "noise", "music", "babble")
    copies_per_utterance: Positive = 0.78  # 1 million of 1.28 million utterances
    noise_snrs_db: Decibels = (15, 10, 5, 0)
    noise_interval_s: NonNegative = 1
    music_snrs_db: Decibels = (15, 10, 8, 5)
    babble_snrs_db: Decibels = (20, 17, 15, 13)
    babble_speakers: tuple[Count, Count] = (3, 7)
    speeds: tuple[Annotated[float, Field(ge=0.5, lt=2)], ...] = ()
    volume: tuple[Positive, Positive] | None = None

    @model_validator(mode="after")
    def check_kinds(self) -> "AugmentedCopies":
        if not self.kinds and not self.speeds:
            raise ValueError("neither kinds nor speeds: name some, or set augmented_copies to null")
        for name, values in (("kinds", self.kinds), ("speeds", [f"{v:g}" for v in self.speeds])):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} {list(values)}: name each once")
        if self.kinds and self.copies_per_utterance > len(self.kinds):
            raise ValueError(
                f"copies_per_utterance {self.copies_per_utterance:g} is more than there are kinds, "
                f"{len(self.kinds)}"
            )
        if "1" in [f"{value:g}" for value in self.speeds]:
            raise ValueError(f"speeds {list(self.speeds)}: 1 changes nothing, leave it out")
        return self

    @model_validator(mode="after")
    def check_ranges(self) -> "AugmentedCopies":
        for name, values in (("babble_speakers", self.babble_speakers), ("volume", self.volume)):
            if values and values[0] > values[1]:
                raise ValueError(f"{name} {list(values)}: give the lower one first")
        return self
