"""The fbank.conf that Kaldi's make_fbank.sh leaves beside its features, against an experiment's."""

from pathlib import Path

from deep_speaker.config import KaldiFilterbank
from deep_speaker.features.kaldi import fbank_options
from deep_speaker.system.files import read_utf8

# Options of compute-fbank-feats that decide what a frame is, and their defaults.
DEFAULTS = {
    "sample-frequency": "16000",
    "frame-length": "25",
    "frame-shift": "10",
    "num-mel-bins": "23",
    "low-freq": "20",
    "high-freq": "0",
    "window-type": "povey",
    "preemphasis-coefficient": "0.97",
    "remove-dc-offset": "true",
    "round-to-power-of-two": "true",
    "use-energy": "false",
    "use-log-fbank": "true",
    "use-power": "true",
    "htk-compat": "false",
    "subtract-mean": "false",
    "vtln-warp": "1",
}
# Those for which an experiment has a key, in its section `features`.
KEYS = {
    "sample-frequency": "sampling_rate",
    "frame-length": "frame_length_ms",
    "frame-shift": "frame_shift_ms",
    "num-mel-bins": "num_mels",
    "low-freq": "low_freq",
    "high-freq": "high_freq",
}
WORDS = {"t": "true", "f": "false", "": "true"}


def read_conf(path: Path) -> dict[str, str]:
    """Read the options in a file for Kaldi's `--config`, by their names with dashes.

    Raises:
        ValueError: a line is no option.
    """
    options = {}
    for number, line in enumerate(read_utf8(path).splitlines(), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        name, _, value = text.partition("=")
        if not name.startswith("--"):
            raise ValueError(f"{path}, line {number}: expected '--option=value', got {line!r}")
        options[name[2:].lower().replace("_", "-")] = value.strip()
    return options


def check_conf(path: Path, features: KaldiFilterbank) -> None:
    """Refuse features that were computed as other ones than an experiment's.

    What adds noise or decides at the ends of an utterance (dither, snip-edges) may differ.

    Raises:
        ValueError: an option differs, with both values and the key of the experiment.
    """
    text = fbank_options(features).splitlines()
    wanted = DEFAULTS | dict(line.removeprefix("--").split("=") for line in text)
    given = read_conf(path)
    found = DEFAULTS | given
    for name in DEFAULTS:
        if _meaning(found, name) != _meaning(wanted, name):
            source = "" if name in given else ", the default,"
            remedy = f"set features.{KEYS[name]} of the config" if name in KEYS else "leave it out"
            raise ValueError(
                f"{path}: --{name} is {found[name]}{source} where the experiment's features have "
                f"{wanted[name]}: {remedy}, or compute the features anew"
            )


def _meaning(options: dict[str, str], name: str) -> float | str:
    """Return a number, or a word in one spelling; of a frequency from the top, that from 0."""
    try:
        value = float(options[name])
    except ValueError:
        word = options[name].lower()
        return WORDS.get(word, word)
    if name == "high-freq" and value <= 0:
        return float(options["sample-frequency"]) / 2 + value
    return value
