"""Recordings of the page: within its limits, and named as the user named them."""

from pathlib import Path

from deep_speaker.kaldi.audio import read_info
from deep_speaker.voices.recordings import UNREADABLE
from deep_speaker.voices.voice_model import Voice, VoiceModel

MOST_MEGABYTES = 100
LONGEST_SECONDS = 120
LONGEST_TRACKED_SECONDS = 600


def hear(model: VoiceModel, audio: str | None, what: str = "a recording") -> Voice:
    """Embed a recording of the page.

    Args:
        audio: the path of the upload; None: nothing was given.
        what: it is, for the message that asks for it.

    Raises:
        ValueError: there is none, it is over the limits, or refused by the model.
    """
    path = check_recording(audio, LONGEST_SECONDS, what)
    try:
        return model.hear(path)
    except ValueError as error:
        raise ValueError(name_only(error, path)) from error


def check_recording(audio: str | None, longest: float, what: str = "a recording") -> Path:
    """Return the path of an upload that is within the limits.

    Args:
        longest: in seconds.

    Raises:
        ValueError: it is not, by its size or its header.
    """
    if not audio:
        raise ValueError(f"no recording: record or choose {what} first")
    path = Path(audio)
    megabytes = path.stat().st_size / 1e6 if path.is_file() else 0
    if megabytes > MOST_MEGABYTES:
        raise ValueError(f"{path.name}: {megabytes:.0f} MB: give at most {MOST_MEGABYTES} MB")
    try:
        seconds = read_info(path).duration
    except ValueError as error:
        raise ValueError(f"{path.name}: {name_only(error, path)}: {UNREADABLE}") from error
    if seconds > longest:
        raise ValueError(
            f"{path.name}: {say_seconds(seconds)} long: give at most {say_seconds(longest)} here"
        )
    return path


def name_only(error: ValueError, path: Path) -> str:
    """Return a message about an upload without the folder in which it lies for a while."""
    return str(error).replace(str(path.resolve()), path.name).replace(str(path), path.name)


def say_seconds(seconds: float) -> str:
    """Return a duration in words.

    >>> say_seconds(59), say_seconds(120), say_seconds(605)
    ('59 s', '2 min', '10 min 5 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
