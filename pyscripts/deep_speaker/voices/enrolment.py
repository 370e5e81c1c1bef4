"""Whether what is enrolled under a name can be one person, and nobody else."""

from collections.abc import Iterable

import numpy as np

from deep_speaker.voices.speaker_files import Speaker
from deep_speaker.voices.voice_model import VoiceModel


def find_doubts(model: VoiceModel, speaker: Speaker, others: Iterable[Speaker]) -> list[str]:
    """Say which examples of a speaker sound like somebody else, and who else sounds like them.

    At even odds; of a model that is not calibrated nothing is said.

    Args:
        others: who is enrolled beside.
    """
    return [*find_unlike(model, speaker), *find_alike(model, speaker, others)]


def find_unlike(model: VoiceModel, speaker: Speaker) -> list[str]:
    """Name each example that sounds like somebody else than the others together."""
    found: list[str] = []
    if len(speaker.vectors) < 2:
        return found
    for number, (source, vector) in enumerate(zip(speaker.sources, speaker.vectors, strict=True)):
        others = np.delete(speaker.vectors, number, axis=0)
        decision = model.decide(float(model.score([others], vector[None])[0, 0]))
        if decision.same is False:
            found.append(
                f"{source}: unlike the other recordings of {speaker.name} (score "
                f"{decision.score:.3f}, below {decision.threshold:.3f}): if it is of somebody "
                "else, remove the speaker and enrol anew"
            )
    return found


def find_alike(model: VoiceModel, speaker: Speaker, others: Iterable[Speaker]) -> list[str]:
    """Name those who sound like the speaker."""
    whole = speaker.vectors.mean(axis=0, keepdims=True)
    found = []
    for other in others:
        decision = model.decide(float(model.score([other.vectors], whole)[0, 0]))
        if decision.same:
            found.append(
                f"{speaker.name} sounds like {other.name}, who is enrolled (score "
                f"{decision.score:.3f}): if they are one, remove one of them"
            )
    return found
