"""Options that several commands share."""

import argparse
from pathlib import Path

from deep_speaker.scoring.decision_table import EVEN
from deep_speaker.system.command import positive_int
from deep_speaker.voices.decisions import Criterion
from deep_speaker.voices.loading import load
from deep_speaker.voices.speaker_store import SpeakerStore
from deep_speaker.voices.voice_model import VoiceModel

PROGRAM = "deep-speaker"
SPEAKERS = Path("voices")


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Add --model."""
    parser.add_argument(
        "--model",
        type=Path,
        help="a folder of models/, a finished exp/<name>/<experiment>, or an ONNX file of "
        "`deep-speaker export` (default: the model that ships)",
    )


def add_channel_option(parser: argparse.ArgumentParser) -> None:
    """Add --channel, from 1, as sox counts; `options.channel` counts from 0."""
    parser.add_argument(
        "--channel",
        type=lambda text: positive_int(text) - 1,
        default=0,
        metavar="N",
        help="which channel of recordings to hear, from 1 (default: 1)",
    )


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_speakers_option(parser: argparse.ArgumentParser) -> None:
    """Add --speakers, the folder of those who are enrolled."""
    parser.add_argument(
        "--speakers",
        type=Path,
        default=SPEAKERS,
        metavar="DIR",
        help="folder of those who are enrolled (default: %(default)s)",
    )


def add_decision_options(parser: argparse.ArgumentParser) -> None:
    """Add the ways to say how sure one has to be, of which one can be taken."""
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--prior",
        type=share,
        default=EVEN,
        metavar="P",
        help="how probable a yes is before listening, between 0 and 1 (default: %(default)s)",
    )
    ways.add_argument(
        "--false-alarms",
        type=share,
        metavar="RATE",
        help="wanted share of wrong yeses, between 0 and 1, as 0.01",
    )
    ways.add_argument(
        "--threshold", type=float, metavar="SCORE", help="the lowest score that means yes"
    )


def share(text: str) -> float:
    """Read a number between 0 and 1, without these, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 1")
    return value


def port_number(text: str) -> int:
    """Read the number of a port, for argparse."""
    value = int(text) if text.isdecimal() else 0
    if not 0 < value < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 65535")
    return value


def criterion_of(options: argparse.Namespace) -> Criterion:
    """Return what `add_decision_options` has read."""
    return Criterion(options.prior, options.false_alarms, options.threshold)


def model_of(options: argparse.Namespace) -> VoiceModel:
    """Open the model of --model."""
    return load(options.model)


def store_of(options: argparse.Namespace, model: VoiceModel) -> SpeakerStore:
    """Return the store of --speakers, for a model."""
    return SpeakerStore(options.speakers, model.id, model.name)
