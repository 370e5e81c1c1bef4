"""Pairs of held-out training speakers, whose scores calibrate those of the tests."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from deep_speaker.kaldi.tables import read_optional_table
from deep_speaker.kaldi.utterances import group_by_speaker
from deep_speaker.trials.lists import Trial, write_trials
from deep_speaker.trials.protocols import draw_trials

MAX_TRIALS = 200000
# Fewer do not represent others: what they calibrate may cost several times more than no decision.
MIN_SPEAKERS = 10


def write_calibration_trials(path: Path, utt2spk: Mapping[str, str], corpora: Sequence[str],
                             seed: int) -> bool:  # fmt: skip
    """Write pairs of held-out speakers' utterances; tell whether they suffice to calibrate by.

    Args:
        corpora: prefixes of ids; utterances are paired within their corpus, as in tests.
    """
    spk2utt = group_by_speaker(utt2spk)
    repeated = sum(len(utterances) > 1 for utterances in spk2utt.values())
    if repeated < MIN_SPEAKERS:
        logging.warning(
            "scores stay uncalibrated: %d of %d held-out training speakers have several "
            "utterances, %d are needed: raise held_out.speaker_share, or add speakers of several "
            "utterances, and train anew",
            repeated, len(spk2utt), MIN_SPEAKERS,
        )  # fmt: skip
        path.unlink(missing_ok=True)
        return False
    rng = np.random.default_rng(seed)
    trials: list[Trial] = []
    parts = split_corpora(utt2spk, corpora)
    for part in parts:
        trials += draw_trials(part, "all", MAX_TRIALS // len(parts), rng)
    write_trials(path, trials)
    return True


def split_corpora(utt2spk: Mapping[str, str], corpora: Sequence[str]) -> list[dict[str, str]]:
    """Split utt2spk by corpus; leave out corpora without target or nontarget pairs."""
    parts: dict[str, dict[str, str]] = {}
    for key, speaker in utt2spk.items():
        parts.setdefault(corpus_of(speaker, corpora), {})[key] = speaker
    return [part for part in parts.values() if 1 < len(set(part.values())) < len(part)]


def corpus_of(speaker: str, corpora: Sequence[str]) -> str:
    """Return the corpus whose prefix a speaker's id has; "" for one without.

    >>> corpus_of("an4_fejs", ["an4", "an"]), corpus_of("fejs", [])
    ('an4', '')
    """
    return max((name for name in corpora if speaker.startswith(f"{name}_")), key=len, default="")


def read_corpora(data_dir: Path) -> list[str]:
    """Return the corpora that `local/combine_corpora.py` joined to a data directory, if any."""
    return read_optional_table(data_dir.parent / "stage_0_options").get("corpora", "").split()
