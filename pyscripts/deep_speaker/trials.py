"""Trial lists in Kaldi's form, `enroll test target|nontarget`, and how stage 0 draws them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deep_speaker.data_dir import group_by_speaker, missing_input
from deep_speaker.files import replacing_file

# Deep Speaker, section 4: each anchor meets 1 utterance of its speaker and 99 of others.
NEGATIVES_PER_ANCHOR = 99
# How the file of a list of that protocol ends.
ONE_PLUS_99 = "_one_plus_99"


class Trial(NamedTuple):
    enroll: str
    test: str
    target: bool


def find_trial_lists(folder: Path) -> dict[str, Path]:
    """The trial lists of a test directory, by their names in the results.

    The file `trials` is the list `trials`, a file `trials_<name>` the list `<name>`. A list comes
    just before its partner of the 1 + 99 protocol.

    Raises:
        ValueError: there is none, or two files have one name.
    """
    lists: dict[str, Path] = {}
    for path in list_trial_files(folder):
        name = path.name.removeprefix("trials_")
        if name in lists:
            raise ValueError(
                f"{lists[name]} and {path.name} would both be {name!r} in the results: rename one"
            )
        lists[name] = path
    if not lists:
        raise ValueError(missing_input(folder / "trials", 0))
    return lists


def list_trial_files(folder: Path) -> list[Path]:
    """The files `trials` and `trials_<name>` of a folder, without those still being written."""
    found = [
        path
        for path in [folder / "trials", *folder.glob("trials_*")]
        if path.is_file() and path.suffix != ".partial"
    ]
    return sorted(found, key=lambda path: (path.name.removesuffix(ONE_PLUS_99), path.name))


def base_list(name: str) -> str:
    """The list to which a list of the 1 + 99 protocol belongs; any other is its own.

    >>> base_list("one_plus_99"), base_list("hard_one_plus_99"), base_list("hard")
    ('trials', 'hard', 'hard')
    """
    return f"_{name}".removesuffix(ONE_PLUS_99).removeprefix("_") or "trials"


def read_trials(path: Path) -> list[Trial]:
    """Read a trial list.

    Raises:
        ValueError: the file is missing or empty, or a line is not `enroll test target|nontarget`.
    """
    if not path.is_file():
        raise ValueError(missing_input(path, 0))
    trials = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            fields = line.split()
            if len(fields) != 3 or fields[2] not in ("target", "nontarget"):
                raise ValueError(
                    f"{path}, line {number}: expected 'enroll test target|nontarget', got {line!r}"
                )
            trials.append(Trial(fields[0], fields[1], fields[2] == "target"))
    if not trials:
        raise ValueError(f"{path}: no trials")
    return trials


def read_known_trials(path: Path, utt2spk: Mapping[str, str]) -> list[Trial]:
    """Read a trial list of a test set, which may name utterances and speakers.

    Raises:
        ValueError: as `read_trials`, or an id is of neither.
    """
    trials = read_trials(path)
    named = {key for trial in trials for key in trial[:2]}
    unknown = sorted(named - utt2spk.keys() - set(utt2spk.values()))
    if unknown:
        raise ValueError(
            f"{path}: {len(unknown)} of {len(named)} ids are not in the test set, first "
            f"{unknown[0]!r}: mend or remove this list"
        )
    return trials


def write_trials(path: Path, trials: Iterable[Trial]) -> None:
    with replacing_file(path) as file:
        for enroll, test, target in trials:
            file.write(f"{enroll} {test} {'target' if target else 'nontarget'}\n")


def draw_trials(
    utt2spk: Mapping[str, str], kind: str, max_trials: int, rng: np.random.Generator
) -> list[Trial]:
    """Pairs of two different utterances, each pair at most once.

    Args:
        kind: `all` takes every pair, or where that is more than `max_trials`, as many random
            target pairs as there are up to half of them, and random nontarget pairs; `balanced`
            takes as many targets as nontargets, `max_trials` together at most.

    Raises:
        ValueError: no two utterances share a speaker, or all do.
    """
    utterances = sorted(utt2spk)
    names = sorted(set(utt2spk.values()))
    speakers = np.searchsorted(names, [utt2spk[key] for key in utterances])
    sizes = np.bincount(speakers)
    num_pairs = len(utterances) * (len(utterances) - 1) // 2
    num_targets = int((sizes * (sizes - 1) // 2).sum())
    if not 0 < num_targets < num_pairs:
        raise ValueError(
            f"{len(utterances)} test utterances of {len(names)} speakers give {num_targets} target "
            f"and {num_pairs - num_targets} nontarget trials: both are needed"
        )
    if max_trials < 2:
        raise ValueError(f"max-trials {max_trials}: a target and a nontarget trial are needed")
    if kind == "all" and num_pairs <= max_trials:
        first, second = np.triu_indices(len(utterances), 1)
        pairs = np.stack([first, second], axis=1)
    else:
        targets = min(num_targets, max_trials // 2)
        nontargets = min(num_pairs - num_targets, max_trials - targets)
        if kind == "balanced":
            targets = nontargets = min(targets, nontargets)
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
    """Draw pairs of utterances of one speaker, all pairs equally likely."""
    by_speaker = np.argsort(speakers, kind="stable")
    begins = np.cumsum(sizes) - sizes
    weights = sizes * (sizes - 1) / (sizes * (sizes - 1)).sum()

    def draw(count: int) -> np.ndarray:
        speaker = rng.choice(len(sizes), count, p=weights)
        first = rng.integers(sizes[speaker])
        second = (first + 1 + rng.integers(sizes[speaker] - 1)) % sizes[speaker]
        pairs = np.stack([first, second], axis=1) + begins[speaker, np.newaxis]
        return by_speaker[pairs]

    return draw


def _nontarget_drawer(
    speakers: np.ndarray, rng: np.random.Generator
) -> Callable[[int], np.ndarray]:
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
    utt2spk: Mapping[str, str], max_trials: int, rng: np.random.Generator
) -> list[Trial]:
    """Deep Speaker's protocol: per anchor 1 positive and 99 negatives of as many other speakers.

    With fewer than 100 speakers, every other speaker gives one negative. Anchors are all
    utterances that have a positive, or as many random ones as `max_trials` allows.
    """
    spk2utt = group_by_speaker(utt2spk)
    speakers = list(spk2utt)
    num_negatives = min(NEGATIVES_PER_ANCHOR, len(speakers) - 1)
    anchors = [key for key in sorted(utt2spk) if len(spk2utt[utt2spk[key]]) > 1]
    limit = max(1, max_trials // (num_negatives + 1))
    if len(anchors) > limit:
        anchors = [anchors[i] for i in np.sort(rng.permutation(len(anchors))[:limit])]
    trials = []
    for anchor in anchors:
        speaker = utt2spk[anchor]
        positives = [key for key in spk2utt[speaker] if key != anchor]
        others = [name for name in speakers if name != speaker]
        chosen = [others[i] for i in rng.permutation(len(others))[:num_negatives]]
        trials.append(Trial(anchor, positives[rng.integers(len(positives))], True))
        trials += [
            Trial(anchor, spk2utt[name][rng.integers(len(spk2utt[name]))], False) for name in chosen
        ]
    return trials


def remove_utterances(folder: Path, unwanted: set[str]) -> None:
    """Drop the trials of utterances from the lists of a data directory, if it has any.

    An anchor of the 1 + 99 protocol that loses its positive is dropped whole.

    Raises:
        ValueError: a list would lose all its targets or nontargets; none is changed then.
    """
    kept = {path: _without(path, unwanted) for path in list_trial_files(folder)}
    for path, trials in kept.items():
        write_trials(path, trials)


def _without(path: Path, unwanted: set[str]) -> list[Trial]:
    trials = read_trials(path)
    kept = [
        trial for trial in trials if trial.enroll not in unwanted and trial.test not in unwanted
    ]
    if path.name.endswith(ONE_PLUS_99):
        positives = Counter(trial.enroll for trial in kept if trial.target)
        kept = [trial for trial in kept if positives[trial.enroll]]
    for kind, target in (("target", True), ("nontarget", False)):
        before, after = (sum(trial.target == target for trial in some) for some in (trials, kept))
        if before and not after:
            raise ValueError(
                f"{path}: all {before} {kind} trials name bad utterances, or anchors that lose "
                f"their positive to them: mend those listed in {path.parent / 'bad_utterances'} "
                "and run stage 0, or remove this list"
            )
    return kept
