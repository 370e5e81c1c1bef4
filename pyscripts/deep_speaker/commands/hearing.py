"""Recordings of a command line: heard one by one, with warnings and refusals on stderr."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from deep_speaker.commands.options import PROGRAM
from deep_speaker.system.errors import EXPECTED_ERRORS, describe_error
from deep_speaker.voices.voice_model import Voice, VoiceModel

PATIENCE = 2.0  # seconds without a progress bar


def hear(model: VoiceModel, file: Path, channel: int) -> Voice:
    """Embed a channel of a recording, from 0, and print what is to be warned of.

    Raises:
        ValueError: it is refused.
    """
    voice = model.hear(file, channel=channel)
    for warning in voice.recording.warnings:
        print(f"{PROGRAM}: warning: {file}: {warning}", file=sys.stderr)
    return voice


def hear_each(
    model: VoiceModel, files: Sequence[Path], channel: int
) -> Iterator[tuple[Path, Voice | str]]:
    """Yield each recording embedded; of one that is refused, why, which is printed too."""
    for file in with_progress(files):
        try:
            yield file, hear(model, file, channel)
        except EXPECTED_ERRORS as error:
            print(f"{PROGRAM}: error: {describe_error(error)}", file=sys.stderr)
            yield file, describe_error(error)


def with_progress(files: Sequence[Path]) -> Iterator[Path]:
    """Yield files, with a progress bar on a terminal where they take more than two seconds."""
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:  # ONNX files run where little more than numpy is installed
        yield from files
    else:
        yield from tqdm(files, unit="recording", delay=PATIENCE, disable=None, leave=False)
