#!/usr/bin/env python3
"""Stage 0 for several corpora at once: join the data directories that stage 0 made of each.

Speaker and utterance ids get their corpus's name as prefix, `<corpus>_<id>`. The trial lists are
each corpus's own, `trials_<corpus>` and `trials_<corpus>_one_plus_99`: nothing is drawn anew, so
that a row of the results is comparable with that of the corpus alone.
"""

import argparse
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path

from deep_speaker.corpora import preparation
from deep_speaker.corpora.checks import check_sets
from deep_speaker.kaldi.data_dir import read_utterances
from deep_speaker.kaldi.tables import iterate_table, read_table, write_table
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.system import command
from deep_speaker.system.locks import locked
from deep_speaker.trials.importing import read_known_trials
from deep_speaker.trials.lists import Trial, find_trial_lists
from deep_speaker.trials.models import read_models
from deep_speaker.validation.data_dirs import validate_data_dir


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="data/<name>, the folder to write")
    parser.add_argument("corpora", nargs="+", type=Path, help="data/<corpus>, as stage 0 made them")
    command.add_jobs_option(parser)
    options = parser.parse_args()
    with ExitStack() as stack:
        stack.enter_context(locked(options.output))
        for corpus in options.corpora:
            stack.enter_context(locked(corpus, to_write=False))
        combine(options)


def combine(options: argparse.Namespace) -> None:
    """Join the data directories of corpora."""
    folders = check_folders(options.output, options.corpora)
    check_speakers(folders)
    train, test = (read_sets(folders, part, options.nj) for part in ("train", "test"))
    with preparation.sorted_sets(options.output, train, test) as (train_set, test_set):
        check_sets(options.output, train_set, test_set, own_trials=True)
        lists, models = read_lists(folders)
        preparation.write_sets(options.output, train_set, test_set, lists, models)
    write_table(options.output / "stage_0_options", {"corpora": " ".join(folders)})


def check_folders(output: Path, folders: Iterable[Path]) -> dict[str, Path]:
    """Return the data directories of corpora, by the names that become the prefixes of ids."""
    found: dict[str, Path] = {}
    for folder in folders:
        name = preparation.safe_id(folder.name)
        if name in found:
            raise ValueError(
                f"{found[name]} and {folder} both give the prefix {name!r}: name each corpus once, "
                "and differently (run.sh --name)"
            )
        if folder.resolve() == output.resolve():
            raise ValueError(f"{output} is one of the corpora to join: choose another --name")
        has = {part for part in ("train", "test") if (folder / part / "wav.scp").is_file()}
        if has == {"test"}:
            raise ValueError(
                f"{folder} has no training speakers: judge published weights on it alone, or "
                "prepare it anew with some"
            )
        if len(has) < 2:
            raise ValueError(f"{folder} is not prepared: first run {how_to_prepare(folder.name)}")
        found[name] = folder
    return found


def how_to_prepare(name: str) -> str:
    """Return the command that prepares a corpus."""
    known = Path(__file__).with_name(f"prepare_{name}.py").is_file()
    corpus_option = f"--corpus {name}" if known else f"--corpus folder --name {name}"
    return f"./run.sh {corpus_option} --stop-stage 0, with the options that say where it lies"


def read_sets(folders: dict[str, Path], part: str, num_jobs: int) -> Iterator[Utterance]:
    return chain.from_iterable(
        read_set(folder / part, name, num_jobs) for name, folder in folders.items()
    )


def read_set(data_dir: Path, prefix: str, num_jobs: int) -> Iterator[Utterance]:
    """Yield the utterances of a data directory, `prefix` and an underscore before their ids."""
    validate_data_dir(data_dir)
    count = 0
    for item in read_utterances(data_dir, num_jobs, decoded=True):
        count += 1
        segment = item.segment
        if segment:
            segment = replace(segment, recording=f"{prefix}_{segment.recording}")
        yield replace(
            item, id=f"{prefix}_{item.id}", speaker=f"{prefix}_{item.speaker}", segment=segment
        )
    total = sum(1 for _ in iterate_table(data_dir / "utt2spk"))
    if count < total:  # its trials would lose them too, and no longer be the corpus's own
        raise ValueError(
            f"{data_dir}: the audio of {total - count} of {total} utterances is bad now: mend it, "
            f"or prepare {data_dir.parent} anew"
        )


def check_speakers(folders: dict[str, Path]) -> None:
    """Refuse an id that stands for two speakers: `1_x` of corpus `a`, and `x` of corpus `a_1`."""
    owners: dict[str, str] = {}
    for name, folder in folders.items():
        for part in ("train", "test"):
            for speaker, _ in iterate_table(folder / part / "spk2utt"):
                joined = f"{name}_{speaker}"
                owner = owners.setdefault(joined, name)
                if owner != name:
                    raise ValueError(
                        f"speaker id {joined!r} comes from both {owner!r} and {name!r}: "
                        "prepare one of them with another --name"
                    )


def read_lists(
    folders: dict[str, Path],
) -> tuple[dict[str, list[Trial]], dict[str, list[str]]]:
    """Read the corpora's trial lists, by file names in the joined test directory, and models."""
    lists: dict[str, list[Trial]] = {}
    models: dict[str, list[str]] = {}
    for name, folder in folders.items():
        utt2spk = read_table(folder / "test" / "utt2spk")
        own_models = read_models(folder / "test")
        for model, utterances in own_models.items():
            models[f"{name}_{model}"] = [f"{name}_{key}" for key in utterances]
        for path in find_trial_lists(folder / "test").values():
            file_name = f"trials_{name}{path.name.removeprefix('trials')}"
            if file_name in lists:
                raise ValueError(f"{path} would become a second {file_name}: rename it")
            lists[file_name] = [
                Trial(f"{name}_{enroll}", f"{name}_{test}", target)
                for enroll, test, target in read_known_trials(path, utt2spk, own_models)
            ]
    return lists, models


if __name__ == "__main__":
    command.run(main)
