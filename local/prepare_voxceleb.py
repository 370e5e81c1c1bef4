#!/usr/bin/env python3
"""Stage 0 for VoxCeleb1 and VoxCeleb2: published trials, and trees of WAV or M4A as unpacked.

--corpus-dir holds one or both: VoxCeleb2 trains if it is there (without its test speakers), else
VoxCeleb1, always without the speakers of the test. --train-dir and --test-dir name trees instead;
--test-dir alone prepares no training speakers, to judge published weights.
The test set is what the trial lists name; by default those of Vox1-O, E and H, cleaned or not, that
test no training speaker and lie in the trees, the folders around them, or meta/, lists/ or trials/
of these; of --test-dir alone, those whose speakers are all in it. vox1_meta.csv and vox2_meta.csv
are looked for in the same places.
"""

import argparse
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from deep_speaker.corpora import preparation
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from deep_speaker.system import command
from voxceleb import lists, selection, trees
from voxceleb.meta import Meta, read_meta


def main() -> None:
    options = parse_options()
    train_tree, test_tree = find_trees(options)
    known_trees = [tree for tree in (test_tree, train_tree) if tree]
    places = [place for tree in known_trees for place in lists.usual_places(tree)]
    if options.lists:
        places.insert(0, options.lists)
    meta = read_meta(places)
    if train_tree is None:
        prepare_test_set(options, test_tree, places, meta)
    elif options.identification_split:
        prepare_identification(options, train_tree, test_tree, meta)
    else:
        prepare_verification(options, train_tree, test_tree, places, meta)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    preparation.add_options(parser)
    path = command.resolved_path
    preparation.add_folder_options(
        parser,
        "folder of VoxCeleb1, VoxCeleb2 or both",
        "tree whose speakers train",
        "tree with the audio of the trials",
    )
    parser.add_argument("--lists", type=path, help="folder of the trial lists and meta files")
    parser.add_argument(
        "--train-list", type=path, help="voxceleb_trainer's training list, relative to --train-dir"
    )
    tests = parser.add_mutually_exclusive_group()
    tests.add_argument(
        "--protocols", nargs="+", choices=tuple(lists.PROTOCOLS), help="default: all that fit"
    )
    tests.add_argument("--test-list", type=path, help="a trial list instead, of the same form")
    tests.add_argument(
        "--identification-split",
        type=path,
        help="iden_split.txt: parts 1 and 2 train, part 3 has the models and the tests; as many "
        "tests as --max-trials allows, by default 159 against 1251 speakers",
    )
    return parser.parse_args()


def find_trees(options: argparse.Namespace) -> tuple[Path | None, Path]:
    """Return the folders below which the audio for training, if any, and for testing lies."""
    train, test = options.train_dir or options.corpus_dir, options.test_dir or options.corpus_dir
    if not test:
        raise ValueError(preparation.explain_folders("voxceleb"))
    if not train and options.identification_split:
        raise ValueError(
            "--identification-split tests training speakers: name the folder of all audio with "
            "--corpus-dir"
        )
    if options.train_list and (not options.train_dir or options.identification_split):
        raise ValueError(
            "--train-list needs --train-dir, and cannot go with --identification-split"
        )
    for folder in (train, test):
        if folder and not folder.is_dir():
            raise ValueError(f"{folder}: no such folder; {trees.LOOKED_FOR}")
    if options.lists and not options.lists.is_dir():
        raise ValueError(f"--lists {options.lists}: no such folder")
    return train, test


def prepare_verification(
    options: argparse.Namespace, train_tree: Path, test_tree: Path, places: list[Path], meta: Meta
) -> None:
    """Test the published trials, and train on other speakers."""
    folders: dict[str, list[Path]] = {}
    training = trees.open_tree(train_tree)
    if options.train_list:
        trained = {speaker for speaker, _ in lists.read_train_list(options.train_list)}
    else:
        folders = selection.find_train_folders(training, meta, all_of_it=bool(options.train_dir))
        trained = set(folders)
    chosen = choose_tests(options, places, any(map(trees.is_voxceleb1, trained)))
    trial_lists = lists.read_trial_lists(chosen.values(), meta.ids)
    wanted = {key for trials in trial_lists.values() for trial in trials for key in trial[:2]}
    tested = set(map(trees.speaker_of, wanted))
    if options.train_list:
        train_paths = selection.list_train_files(options.train_list, training)
    else:
        trained -= tested
        if not trained:
            raise ValueError(
                f"{train_tree}: all of its speakers are tested: name a tree of others to train "
                "with --train-dir, or, to judge published weights, this one with --test-dir alone"
            )
        train_paths = trees.list_audio(
            training, (path for key in sorted(trained) for path in folders[key])
        )
    train_paths = trees.check_start(
        train_paths,
        f"{train_tree}: no audio of speakers who are not tested; {trees.LOOKED_FOR}",
    )
    test_paths = selection.find_listed(
        trees.open_tree(test_tree), wanted, meta, ", ".join(map(str, chosen.values()))
    )
    logging.info(
        "%s trains: %d speakers in %s; %s test: %d utterances of %d speakers in %s",
        trees.corpora_of(trained), len(trained), train_tree,
        ", ".join(chosen), len(test_paths), len(tested), test_tree,
    )  # fmt: skip
    preparation.write_corpus(
        options,
        make_utterances(train_paths, meta, options.nj),
        make_utterances(test_paths, meta, options.nj),
        trial_lists,
    )


def prepare_test_set(
    options: argparse.Namespace, tree: Path, places: list[Path], meta: Meta
) -> None:
    """Test the published trials, without training speakers."""
    chosen = choose_tests(options, places, voxceleb1_trains=False)
    trial_lists = lists.read_trial_lists(chosen.values(), meta.ids)
    audio = trees.open_tree(tree)
    if not (options.protocols or options.test_list):
        trial_lists = selection.keep_fitting_lists(trial_lists, audio, meta)
    wanted = {key for trials in trial_lists.values() for trial in trials for key in trial[:2]}
    test_paths = selection.find_listed(audio, wanted, meta, ", ".join(trial_lists))
    logging.info(
        "no one trains; %s test: %d utterances in %s", ", ".join(trial_lists), len(test_paths), tree
    )
    preparation.write_corpus(
        options, None, make_utterances(test_paths, meta, options.nj), trial_lists
    )


def choose_tests(
    options: argparse.Namespace, places: list[Path], voxceleb1_trains: bool
) -> dict[str, Path]:
    """Choose the trial lists to test, by their names in the log."""
    if options.test_list:
        return {options.test_list.name: options.test_list}
    found = lists.choose_protocols(options.protocols, places, voxceleb1_trains)
    return {f"Vox1-{key}": path for key, path in found.items()}


def prepare_identification(
    options: argparse.Namespace, train_tree: Path, test_tree: Path, meta: Meta
) -> None:
    """Train on parts 1 and 2 of the split, and identify the same speakers in part 3.

    Models are utterances of part 3, and the tests are as many others of it as --max-trials allows.
    """
    source = options.identification_split
    train, test = (
        selection.find_listed(trees.open_tree(tree), wanted, meta, str(source))
        for tree, wanted in zip(
            (train_tree, test_tree),
            lists.read_identification_split(source, meta.ids),
            strict=True,
        )
    )
    logging.info(
        "parts 1 and 2 of %s train: %d utterances in %s; part 3 tests: %d utterances in %s",
        source, len(train), train_tree, len(test), test_tree,
    )  # fmt: skip
    options.identification = True
    preparation.write_corpus(
        options,
        make_utterances(train, meta, options.nj),
        make_utterances(test, meta, options.nj),
        closed_set=True,
    )


def make_utterances(paths: Iterable[Path], meta: Meta, num_jobs: int) -> Iterator[Utterance]:
    """Yield the utterances of audio files, without bad files; see `preparation.read_infos`."""
    for path, info in preparation.read_infos(paths, num_jobs):
        name = trees.parse_name(path, meta.ids)
        sex = meta.sexes.get(name.speaker)
        yield Utterance(name.id, name.speaker, wav_entry(path, info), info, sex)


if __name__ == "__main__":
    command.run(main)
