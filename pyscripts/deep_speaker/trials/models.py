"""The table of models: speakers enrolled with several utterances, `model utterance...`."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from deep_speaker.kaldi.tables import read_optional_table, write_table

MODELS = "enroll_spk2utt"


def read_models(folder: Path) -> dict[str, list[str]]:
    """Read the models of a data directory, utterances by model; none if it has no such table."""
    return {key: utts.split() for key, utts in read_optional_table(folder / MODELS).items()}


def write_models(folder: Path, models: Mapping[str, Iterable[str]]) -> None:
    """Write the models of a data directory, utterances by model."""
    write_table(folder / MODELS, {key: " ".join(utts) for key, utts in models.items()})


def speakers_of(models: Mapping[str, Sequence[str]], utt2spk: Mapping[str, str]) -> dict[str, str]:
    """Return the speakers of models, by their first utterances."""
    return {model: utt2spk[utterances[0]] for model, utterances in models.items()}
