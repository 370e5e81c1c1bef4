"""Channels of a recording that are not heard: whether the speech is there."""

from collections.abc import Callable

import numpy as np

from deep_speaker.voices.speech import SHIFT_MS

# Of the speech that is heard: two microphones before one voice differ by less.
ENOUGH = 0.5


def find_unheard(
    heard: np.ndarray,
    channel: int,
    num_channels: int,
    detect: Callable[[int], np.ndarray],
    shortest: float,
) -> str:
    """Say which other channel holds speech where the one that is heard has none.

    So is a call with a person on each side; nothing is said where all channels hear the same.

    Args:
        heard: frames that may be speech on the channel that is heard, bool, shape (frames,).
        channel: from 0.
        detect: returns such frames of a channel.
        shortest: seconds that are worth a word.
    """
    found = {
        other: float((detect(other) & ~heard).sum() * SHIFT_MS / 1000)
        for other in range(num_channels)
        if other != channel
    }
    most = max(found, key=lambda other: found[other], default=channel)
    least = max(shortest, ENOUGH * float(heard.sum()) * SHIFT_MS / 1000)
    if not found or found[most] < least:
        return ""
    return (
        f"channel {most + 1} holds {found[most]:.1f} s of speech where channel {channel + 1}, "
        f"which is heard, has none: hear it by --channel {most + 1}, or make a file of it alone"
    )
