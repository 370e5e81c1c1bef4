"""Models, speakers enrolled with several utterances, and trials of models."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from deep_speaker.kaldi.utterances import group_by_speaker
from deep_speaker.trials.lists import Trial
from deep_speaker.trials.models import speakers_of


def share_out(num_targets: int, num_nontargets: int, kind: str, max_trials: int) -> tuple[int, int]:
    """Return how many of the possible targets and nontargets to draw; see `draw_trials`."""
    if max_trials < 2:
        raise ValueError(f"max-trials {max_trials}: a target and a nontarget trial are needed")
    if kind == "all" and num_targets + num_nontargets <= max_trials:
        return num_targets, num_nontargets
    targets = min(num_targets, max_trials // 2)
    nontargets = min(num_nontargets, max_trials - targets)
    if kind == "balanced":
        targets = nontargets = min(targets, nontargets)
    return targets, nontargets


def draw_models(
    utt2spk: Mapping[str, str], size: int, rng: np.random.Generator
) -> dict[str, list[str]]:
    """Draw models of `size` utterances each: as many as a speaker's utterances fill.

    No utterance is in two models. Speakers without more utterances than one model holds get none,
    as nothing would be left to test it.

    Raises:
        ValueError: no speaker has more than `size` utterances.
    """
    spk2utt = group_by_speaker(utt2spk)
    able = {speaker: keys for speaker, keys in spk2utt.items() if len(keys) > size}
    if not able:
        most = max(map(len, spk2utt.values()), default=0)
        raise ValueError(
            f"no test speaker has more than {size} utterances, the most is {most}: enrol fewer "
            "(--enrolments)"
        )
    if len(able) < len(spk2utt):
        logging.warning(
            "%d of %d test speakers have too few utterances for models of %d: they get none",
            len(spk2utt) - len(able), len(spk2utt), size,
        )  # fmt: skip
    models = {}
    for speaker, utterances in able.items():
        order = [utterances[i] for i in rng.permutation(len(utterances))]
        for number in range(len(order) // size):
            model = f"{speaker}-enrolment_{size}_{number + 1}"
            while model in utt2spk:
                model += "_"
            models[model] = sorted(order[number * size : (number + 1) * size])
    return models


def draw_model_trials(
    utt2spk: Mapping[str, str],
    models: Mapping[str, Sequence[str]],
    kind: str,
    max_trials: int,
    rng: np.random.Generator,
) -> list[Trial]:
    """Draw trials of models and utterances outside of them, each pair at most once.

    Args:
        models: of equally many utterances each, see `draw_models`.
        kind, max_trials: see `protocols.draw_trials`.
    """
    spk2utt = group_by_speaker(utt2spk)
    utterances = [key for keys in spk2utt.values() for key in keys]  # a speaker's are neighbours
    place = {key: i for i, key in enumerate(utterances)}
    names = sorted(models)
    members = np.sort([[place[key] for key in models[name]] for name in names], axis=1)
    sizes = np.array([len(keys) for keys in spk2utt.values()])
    ends = np.cumsum(sizes)
    speaker = np.searchsorted(ends, members[:, 0], side="right")
    sizes, begins = sizes[speaker], (ends - sizes)[speaker]  # of each model's speaker
    num_own, num_others = sizes - members.shape[1], len(utterances) - sizes
    targets, nontargets = share_out(int(num_own.sum()), int(num_others.sum()), kind, max_trials)

    own_model, test = _draw_places(num_own, targets, rng)
    own_test = test + begins[own_model]
    for member in members[own_model].T:  # in rising order: step over each
        own_test += own_test >= member
    other_model, test = _draw_places(num_others, nontargets, rng)
    other_test = np.where(test < begins[other_model], test, test + sizes[other_model])

    model = np.concatenate([own_model, other_model])
    test = np.concatenate([own_test, other_test])
    order = np.lexsort((test, model))
    return [
        Trial(names[i], utterances[j], target)
        for i, j, target in zip(
            model[order].tolist(), test[order].tolist(), (order < targets).tolist(), strict=True
        )
    ]


def _draw_places(
    sizes: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw `count` different places in rows of `sizes` places; return their rows and columns."""
    ends = np.cumsum(sizes)
    places = rng.choice(ends[-1], count, replace=False)
    rows = np.searchsorted(ends, places, side="right")
    return rows, places - (ends - sizes)[rows]


def one_per_speaker(
    utt2spk: Mapping[str, str], models: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Return the first model of each speaker."""
    first: dict[str, str] = {}
    for model, speaker in speakers_of(models, utt2spk).items():
        first.setdefault(speaker, model)
    return {model: list(models[model]) for model in first.values()}


def draw_identification(
    utt2spk: Mapping[str, str],
    models: Mapping[str, Sequence[str]],
    max_trials: int,
    rng: np.random.Generator,
) -> list[Trial]:
    """Draw closed-set identification: other utterances of enrolled speakers against all models.

    If that is more than `max_trials`, random utterances are left out, with all their trials.

    Raises:
        ValueError: there is only one model.
    """
    if len(models) < 2:
        raise ValueError(
            f"identification by {len(models)} model: at least 2 test speakers must have more "
            "utterances than a model holds (--enrolments)"
        )
    speaker_of = speakers_of(models, utt2spk)
    enrolled = {key for keys in models.values() for key in keys}
    known = set(speaker_of.values())
    tests = [key for key in sorted(utt2spk) if utt2spk[key] in known and key not in enrolled]
    limit = max(1, max_trials // len(models))
    if len(tests) > limit:
        logging.warning(
            "identification: %d of %d test utterances, as each makes %d trials of --max-trials %d",
            limit, len(tests), len(models), max_trials,
        )  # fmt: skip
        tests = [tests[i] for i in np.sort(rng.permutation(len(tests))[:limit])]
    return [
        Trial(model, test, speaker == utt2spk[test])
        for test in tests
        for model, speaker in speaker_of.items()
    ]
