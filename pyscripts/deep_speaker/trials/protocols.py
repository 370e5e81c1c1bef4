"""Protocols of evaluation: the trials that stage 0 draws, and the models that they enrol."""

import argparse
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from deep_speaker.kaldi.utterances import group_by_speaker
from deep_speaker.trials.enrolment import (
    draw_identification,
    draw_model_trials,
    draw_models,
    one_per_speaker,
    share_out,
)
from deep_speaker.trials.lists import IDENTIFICATION_SUFFIX, ONE_PLUS_99_SUFFIX, Trial
from deep_speaker.trials.models import speakers_of

# Deep Speaker, section 4: each anchor meets 1 utterance of its speaker and 99 of others.
NEGATIVES_PER_ANCHOR = 99


def draw_lists(
    utt2spk: Mapping[str, str],
    options: argparse.Namespace,
    rng: np.random.Generator,
    verification: bool = True,
    one_kind: bool = False,
) -> tuple[dict[str, list[Trial]], dict[str, list[str]]]:
    """Draw all trial lists that the options ask for, and the models that they name.

    For `verification`, `trials` and its partner of the 1 + 99 protocol. For every N of
    `options.enrolments` the same two for models of N utterances, `trials_enrolment_<N>`. For
    `options.identification`, `trials_identification` by models of the largest N (else of one
    utterance).

    Args:
        options: `trials`, `max_trials` (see `draw_trials`), `enrolments` and `identification`.
        one_kind: whether `trials` may lack targets or nontargets, to be scored without error
            rates; it has no partner then.

    Returns:
        Trials by file name, and utterances by model.

    Raises:
        ValueError: no two utterances share a speaker, or all do, and that is not allowed.
    """
    kind, limit = options.trials, options.max_trials
    lists = {}
    if verification:
        lists["trials"] = draw_trials(utt2spk, kind, limit, rng, one_kind)
        if len({trial.target for trial in lists["trials"]}) == 2:
            lists[f"trials{ONE_PLUS_99_SUFFIX}"] = draw_one_plus_99(utt2spk, limit, rng)
    models: dict[str, list[str]] = {}
    seed = int(rng.integers(2**63))  # a list does not change when another is asked for too
    for size in sorted(set(options.enrolments)):
        rng = np.random.default_rng([seed, size])
        drawn = draw_models(utt2spk, size, rng)
        name = f"trials_enrolment_{size}"
        lists[name] = draw_model_trials(utt2spk, drawn, kind, limit, rng)
        lists[name + ONE_PLUS_99_SUFFIX] = draw_one_plus_99(utt2spk, limit, rng, drawn)
        models |= drawn
    if options.identification:
        size = max(options.enrolments, default=1)
        rng = np.random.default_rng([seed, size])  # the models that have been drawn, if they have
        known = one_per_speaker(utt2spk, draw_models(utt2spk, size, rng))
        lists[f"trials{IDENTIFICATION_SUFFIX}"] = draw_identification(utt2spk, known, limit, rng)
        models |= known
    return lists, models


def draw_trials(
    utt2spk: Mapping[str, str],
    kind: str,
    max_trials: int,
    rng: np.random.Generator,
    one_kind: bool = False,
) -> list[Trial]:
    """Draw pairs of two different utterances, each pair at most once.

    Args:
        kind: `all` takes every pair; if those are more than `max_trials`, random target pairs, as
            many as there are up to half of `max_trials`, and random nontarget pairs. `balanced`
            takes as many targets as nontargets, together at most `max_trials`.
        one_kind: whether it may be that no two utterances share a speaker, or all do.

    Raises:
        ValueError: no two utterances share a speaker, or all do, and that is not allowed; or there
            is only one.
    """
    utterances = sorted(utt2spk)
    names = sorted(set(utt2spk.values()))
    speakers = np.searchsorted(names, [utt2spk[key] for key in utterances])
    sizes = np.bincount(speakers)
    num_pairs = len(utterances) * (len(utterances) - 1) // 2
    num_targets = int((sizes * (sizes - 1) // 2).sum())
    has_both = 0 < num_targets < num_pairs
    if not (has_both or (one_kind and num_pairs)):
        raise ValueError(
            f"{len(utterances)} test utterances of {len(names)} speakers give {num_targets} target "
            f"and {num_pairs - num_targets} nontarget trials: both are needed"
        )
    kind = kind if has_both else "all"
    targets, nontargets = share_out(num_targets, num_pairs - num_targets, kind, max_trials)
    if kind == "all" and num_pairs <= max_trials:
        first, second = np.triu_indices(len(utterances), 1)
        pairs = np.stack([first, second], axis=1)
    else:
        pairs = np.concatenate(
            [
                _draw_unique(_target_drawer(speakers, sizes, rng), targets, rng),
                _draw_unique(_nontarget_drawer(speakers, rng), nontargets, rng),
            ]
        )
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    same = speakers[pairs[:, 0]] == speakers[pairs[:, 1]]
    return [
        Trial(utterances[i], utterances[j], bool(target))
        for (i, j), target in zip(pairs.tolist(), same, strict=True)
    ]


def _target_drawer(
    speakers: np.ndarray, sizes: np.ndarray, rng: np.random.Generator
) -> Callable[[int], np.ndarray]:
    """Make a function that draws pairs of utterances of one speaker, all equally likely."""
    by_speaker = np.argsort(speakers, kind="stable")
    begins = np.cumsum(sizes) - sizes
    weights = sizes * (sizes - 1)

    def draw(count: int) -> np.ndarray:
        speaker = rng.choice(len(sizes), count, p=weights / weights.sum())
        first = rng.integers(sizes[speaker])
        second = (first + 1 + rng.integers(sizes[speaker] - 1)) % sizes[speaker]
        pairs = np.stack([first, second], axis=1) + begins[speaker, np.newaxis]
        return by_speaker[pairs]

    return draw


def _nontarget_drawer(
    speakers: np.ndarray, rng: np.random.Generator
) -> Callable[[int], np.ndarray]:
    """Make a function that draws pairs of utterances of two speakers, up to `count` of them."""

    def draw(count: int) -> np.ndarray:
        pairs = rng.integers(len(speakers), size=(count, 2))
        return pairs[speakers[pairs[:, 0]] != speakers[pairs[:, 1]]]

    return draw


def _draw_unique(
    draw: Callable[[int], np.ndarray], count: int, rng: np.random.Generator
) -> np.ndarray:
    """Collect `count` different unordered pairs; at least as many must exist."""
    pairs = np.empty((0, 2), dtype=np.int64)
    while len(pairs) < count:
        drawn = np.sort(draw(count), axis=1)
        pairs = np.unique(np.concatenate([pairs, drawn]), axis=0)
    return pairs[rng.permutation(len(pairs))[:count]]


def draw_one_plus_99(
    utt2spk: Mapping[str, str],
    max_trials: int,
    rng: np.random.Generator,
    models: Mapping[str, Sequence[str]] | None = None,
) -> list[Trial]:
    """Draw Deep Speaker's protocol: per anchor 1 positive, and negatives of 99 other speakers.

    With fewer than 100 speakers, every other speaker gives one negative. Anchors are all models
    (or utterances, if no models are given) that have a positive, or as many random ones as
    `max_trials` allows.
    """
    models = models or {key: [key] for key in utt2spk}
    speaker_of = speakers_of(models, utt2spk)
    spk2utt = group_by_speaker(utt2spk)
    speakers = list(spk2utt)
    num_negatives = min(NEGATIVES_PER_ANCHOR, len(speakers) - 1)
    anchors = [key for key in sorted(models) if len(spk2utt[speaker_of[key]]) > len(models[key])]
    limit = max(1, max_trials // (num_negatives + 1))
    if len(anchors) > limit:
        anchors = [anchors[i] for i in np.sort(rng.permutation(len(anchors))[:limit])]
    trials = []
    for anchor in anchors:
        speaker = speaker_of[anchor]
        positives = [key for key in spk2utt[speaker] if key not in models[anchor]]
        others = [name for name in speakers if name != speaker]
        chosen = [others[i] for i in rng.permutation(len(others))[:num_negatives]]
        trials.append(Trial(anchor, positives[rng.integers(len(positives))], True))
        trials += [
            Trial(anchor, spk2utt[name][rng.integers(len(spk2utt[name]))], False) for name in chosen
        ]
    return trials
