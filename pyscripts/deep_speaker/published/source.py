"""Where published weights come from: how a project names and lays out those of a network."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from deep_speaker.config import Experiment, Trimming, VoiceActivity
from deep_speaker.config.kinds import KIND_KEYS

EVERY_FRAME = VoiceActivity(energy_threshold=-1000, energy_mean_scale=0)


@dataclass(frozen=True)
class Source:
    """A project that published weights, or a model folder of this recipe.

    Attributes:
        config: the file of conf/ that goes with them.
        trained_with: the values of dotted keys that the network's input depends on.
        read: returns the weights in a file, by the project's names; refuses a file that brings
            another front end than the experiment's.
        their_name: of a parameter or buffer, given ours.
        convert: a tensor of theirs, by our name of it, to our axes.
        voice_activity: which frames it kept.
    """

    config: str
    trained_with: Mapping[str, object]
    read: Callable[[Path, Experiment], dict[str, Tensor]]
    their_name: Callable[[str], str]
    convert: Callable[[str, Tensor], Tensor]
    voice_activity: VoiceActivity | Trimming = EVERY_FRAME


def check_input(source: Source, path: Path, experiment: Experiment) -> None:
    """Refuse an experiment that makes other frames than the weights were trained on.

    Raises:
        ValueError: it differs from `trained_with`.
    """
    expected, found = source.trained_with, {}
    content = experiment.model_dump(mode="json")
    for key in expected:
        section, name = key.split(".")
        found[key] = content[section].get(name)
    wrong = [key for key, value in expected.items() if found[key] != value]
    if not wrong:
        return
    remedy = f"name {source.config}, or what is based on it"
    kinds = [key for key in wrong if key.split(".")[1] in KIND_KEYS]
    if kinds:  # each brings keys of its own
        wrong = kinds
    else:
        remedy = " ".join(f"--set {key}={_text(expected[key])}" for key in wrong) + f", or {remedy}"
    listed = ", ".join(f"{key} {_text(expected[key])}, not {_text(found[key])}" for key in wrong)
    raise ValueError(f"{path}: trained with {listed}: {remedy}")


def tell_other_frames(source: Source, path: Path, experiment: Experiment) -> None:
    """Warn where the experiment's voice activity is not the source's; some weights like it."""
    if experiment.extraction.method == "sample_crops":  # which no detector touches
        return
    if experiment.voice_activity != source.voice_activity:
        logging.warning(
            "%s: the config's voice_activity keeps other frames than the source, so embeddings "
            "differ from the source's; %s has the same frames",
            path,
            source.config,
        )


def _text(value: object) -> str:
    """Write a value as a config has it."""
    return value if isinstance(value, str) else json.dumps(value)


def translate(
    source: Source, theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor], where: str
) -> dict[str, Tensor]:
    """Return their weights by our names, in our axes.

    Args:
        ours: names and shapes; also the counts of batches, which theirs may lack.

    Raises:
        ValueError: they are not exactly those of our network.
    """
    names = {source.their_name(name): name for name in ours}
    found = {
        name: source.convert(name, theirs[their_name])
        for their_name, name in names.items()
        if their_name in theirs
    }
    problems = {
        "missing": [
            their_name
            for their_name, name in names.items()
            if name not in found and not name.endswith("num_batches_tracked")
        ],
        "unexpected": [their_name for their_name in theirs if their_name not in names],
        "of another shape": [
            f"{their_name} {tuple(theirs[their_name].shape)} makes {tuple(found[name].shape)}, "
            f"not {tuple(ours[name].shape)}"
            for their_name, name in names.items()
            if name in found and found[name].shape != ours[name].shape
        ],
    }
    if any(problems.values()):
        listed = "; ".join(f"{kind}: {some(items)}" for kind, items in problems.items() if items)
        raise ValueError(
            f"{where} of the config is not the network of this file: {listed}: name the config it "
            f"was published with, such as {source.config}"
        )
    return {**ours, **found}


def some(items: list[str], most: int = 5) -> str:
    """Name the first few of a list, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
