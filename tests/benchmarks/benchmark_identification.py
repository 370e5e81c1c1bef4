#!/usr/bin/env python3
"""How often a model errs in naming unseen speakers, beside what its decisions promise.

One recording of each speaker of a set is enrolled, drawn at random, and the others are identified;
each speaker in turn is left out, and then unknown. Printed are, in per cent, with 95 % intervals by
resampling the speakers that speak (the enrolled stay as they are):

    rank-1            known voices whose own name is the best, whatever the threshold
    unknown accepted  voices of the speaker left out that are taken for somebody, and as promised:
                      1 - (1 - false alarm rate) ^ number enrolled
    known refused     known voices that are taken for nobody enrolled, and as promised: the misses
    misnamed          known voices that are taken for somebody else

    . ./path.sh; tests/benchmarks/benchmark_identification.py --model models/small CORPORA

CORPORA is a folder of LibriSpeech/test-other, commands_ar/dev, commands_zh/dev and an4/dev.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tabulate import tabulate
from tqdm import tqdm

import deep_speaker
from deep_speaker.scoring.decision_table import DecisionTable
from deep_speaker.voices.decisions import Criterion, find_threshold
from deep_speaker.voices.recordings import SHORTEST_SPEECH
from deep_speaker.voices.voice_model import VoiceModel

SETS = {
    "librispeech": "LibriSpeech/test-other",
    "ar": "commands_ar/dev",
    "zh": "commands_zh/dev",
    "an4": "an4/dev",
}
SHORTEST = 0.3  # seconds of speech: a set of single words would have hardly any recording else
CRITERIA = {"prior 0.5": Criterion(), "1 % false alarms": Criterion(false_alarms=0.01)}
DRAWS, REPLICATES = 20, 2000


class Voices(NamedTuple):
    """Recordings of a set: vectors (recordings, dim), and the speaker of each."""

    vectors: np.ndarray
    speakers: list[str]


class Outcomes(NamedTuple):
    """What became of identifications: sums by the speaker who speaks, each (speakers,)."""

    known: np.ndarray
    rank_1: np.ndarray
    refused: np.ndarray
    misnamed: np.ndarray
    unknown: np.ndarray
    accepted: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="as of deep-speaker (default: what ships)")
    parser.add_argument("corpora", type=Path)
    options = parser.parse_args()
    model = deep_speaker.load(options.model)
    sets = {name: embed_set(model, options.corpora / place) for name, place in SETS.items()}
    everything = Voices(
        np.concatenate([voices.vectors for voices in sets.values()]),
        [f"{name}-{each}" for name, voices in sets.items() for each in voices.speakers],
    )
    rows = [
        row for name, voices in (sets | {"all": everything}).items()
        for row in judge(model, name, voices)
    ]  # fmt: skip
    print(f"model {model.name}, back end {model.scoring.name}")
    print(tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True))


def embed_set(model: VoiceModel, folder: Path) -> Voices:
    """Embed the recordings of a set, and say how many hold too little speech."""
    vectors, speakers, short, refused = [], [], 0, 0
    for path in tqdm(sorted(folder.rglob("*.flac")), folder.parent.name, disable=None):
        try:
            recording, vector = model.hear(path, shortest=SHORTEST)
        except ValueError:
            refused += 1
            continue
        short += recording.speech < SHORTEST_SPEECH
        vectors.append(vector)
        speakers.append(path.relative_to(folder).parts[0])
    print(
        f"{folder}: {len(vectors) + refused} recordings: {short + refused} hold less than "
        f"{SHORTEST_SPEECH:g} s of speech and would be refused; here only the {refused} with less "
        f"than {SHORTEST:g} s are"
    )
    return Voices(np.stack(vectors), speakers)


def judge(model: VoiceModel, name: str, voices: Voices) -> list[dict[str, str]]:
    """Return a row of figures for each criterion."""
    speakers, codes = np.unique(voices.speakers, return_inverse=True)
    scores = model.score([vector[None] for vector in voices.vectors], voices.vectors)
    table, num_enrolled = model.scoring.decisions, len(speakers) - 1
    rows = []
    for wanted, criterion in CRITERIA.items():
        if table is None and wanted != "prior 0.5":
            break
        threshold = find_threshold(table, criterion, num_enrolled)
        found = count(scores, codes, np.inf if threshold is None else threshold)
        row = {"set": name, "speakers": str(len(speakers)), "threshold of": wanted}
        row["rank-1"] = share(found.rank_1, found.known)
        if table is not None and threshold is not None:
            row |= describe_decisions(found, table, threshold, num_enrolled)
        rows.append(row)
    return rows


def describe_decisions(
    found: Outcomes, table: DecisionTable, threshold: float, num_enrolled: int
) -> dict[str, str]:
    """Return the columns that depend on a threshold."""
    false_alarms, misses = table.error_rates(threshold)
    return {
        "threshold": f"{threshold:.3f}",
        "unknown accepted": share(found.accepted, found.unknown),
        "promised": f"{100 * (1 - (1 - false_alarms) ** num_enrolled):.1f}",
        "known refused": share(found.refused, found.known),
        "promised ": f"{100 * misses:.1f}",
        "misnamed": share(found.misnamed, found.known),
    }


def count(scores: np.ndarray, codes: np.ndarray, threshold: float) -> Outcomes:
    """Enrol and identify, with other examples each time and each speaker left out in turn.

    Args:
        scores: of every pair of recordings, shape (recordings, recordings).
        codes: of the speaker of each, 0 and up, shape (recordings,).
    """
    rng, num_speakers = np.random.default_rng(0), codes.max() + 1
    sums = Outcomes(*np.zeros((len(Outcomes._fields), num_speakers)))
    for _ in range(DRAWS):
        examples = [rng.choice(np.flatnonzero(codes == code)) for code in range(num_speakers)]
        is_test = np.ones(len(codes), dtype=bool)
        is_test[examples] = False
        for left_out in range(num_speakers):
            of_tests = scores[examples][:, is_test]
            of_tests[left_out] = -np.inf
            add(sums, of_tests, codes[is_test], left_out, threshold)
    return sums


def add(
    sums: Outcomes, scores: np.ndarray, codes: np.ndarray, left_out: int, threshold: float
) -> None:
    """Count the tests (of speakers `codes`) of one enrolment: scores (speakers, tests)."""
    best, is_named = scores.argmax(axis=0), scores.max(axis=0) >= threshold
    known, right = codes != left_out, best == codes
    counted = Outcomes(
        known=known,
        rank_1=known & right,
        refused=known & ~is_named,
        misnamed=known & is_named & ~right,
        unknown=~known,
        accepted=~known & is_named,
    )
    for total, which in zip(sums, counted, strict=True):
        total += np.bincount(codes[which], minlength=len(total))


def share(part: np.ndarray, total: np.ndarray) -> str:
    """Return a share in per cent, with its interval by resampling speakers."""
    draws = np.random.default_rng(0).multinomial(
        len(total), np.full(len(total), 1 / len(total)), REPLICATES
    )
    low, high = np.quantile(draws @ part / (draws @ total), [0.025, 0.975])
    return f"{100 * part.sum() / total.sum():.1f} [{100 * low:.1f}, {100 * high:.1f}]"


if __name__ == "__main__":
    main()
