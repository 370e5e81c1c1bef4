"""Removal of bad utterances from the trial lists and models of a test directory."""

from pathlib import Path

from deep_speaker.config.stages import Stage
from deep_speaker.kaldi.tables import read_optional_table
from deep_speaker.trials.lists import (
    IDENTIFICATION_SUFFIX,
    ONE_PLUS_99_SUFFIX,
    Trial,
    list_trial_files,
    read_trials,
    write_trials,
)
from deep_speaker.trials.models import read_models, write_models


def remove_from_trials(folder: Path, unwanted: set[str]) -> None:
    """Drop utterances from the models and trial lists of a data directory, if it has any.

    A model or speaker without utterances leaves the lists too; so do an anchor of the 1 + 99
    protocol without its positive, and a test of identification without its speaker's model.

    Raises:
        ValueError: a list would lose all targets or all nontargets; nothing is changed then.
    """
    models = read_models(folder)
    left = {key: [utt for utt in utts if utt not in unwanted] for key, utts in models.items()}
    speakers = read_optional_table(folder / "spk2utt").items()
    gone = {
        *unwanted,
        *(speaker for speaker, utterances in speakers if unwanted.issuperset(utterances.split())),
        *(model for model, utterances in left.items() if not utterances),
    }
    kept = {path: _without(path, gone) for path in list_trial_files(folder)}
    for path, trials in kept.items():
        write_trials(path, trials)
    if left != models:  # last: an interrupted run finds again which models are empty
        write_models(folder, {key: utterances for key, utterances in left.items() if utterances})


def _without(path: Path, unwanted: set[str]) -> list[Trial]:
    """Return the trials of a list without unwanted names, and without what depends on them."""
    trials = read_trials(path)
    kept = [
        trial for trial in trials if trial.enroll not in unwanted and trial.test not in unwanted
    ]
    for ending, side in ((ONE_PLUS_99_SUFFIX, 0), (IDENTIFICATION_SUFFIX, 1)):
        if path.name.endswith(ending):
            found = {trial[side] for trial in kept if trial.target}
            kept = [trial for trial in kept if trial[side] in found]
    for kind, target in (("target", True), ("nontarget", False)):
        before, after = (sum(trial.target == target for trial in some) for some in (trials, kept))
        if before and not after:
            raise ValueError(
                f"{path}: all {before} {kind} trials would go with bad utterances: mend those in "
                f"{path.parent / 'bad_utterances'} and {Stage.PREPARATION.again}, or remove this "
                "list"
            )
    return kept
