#!/usr/bin/env python3
"""Stage 0 for several corpora at once: join data directories that stage 0 made of each alone.

Speaker and utterance ids get their corpus's name as prefix, `<corpus>_<id>`. The trial lists are
each corpus's own, `trials_<corpus>` and `trials_<corpus>_one_plus_99`: nothing is drawn anew, so
that a row of the results is comparable with that of the corpus alone.
"""

import argparse
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from deep_speaker import command, corpus
from deep_speaker.audio import file_of_entry
from deep_speaker.data_dir import Utterance, read_optional_table, read_table, validate_data_dir
from deep_speaker.manifests import read_texts
from deep_speaker.trials import Trial, find_trial_lists, read_known_trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="data/<name>, the folder to write")
    parser.add_argument("corpora", nargs="+", type=Path, help="data/<corpus>, as stage 0 made them")
    command.add_jobs_option(parser)
    options = parser.parse_args()
    folders = check_folders(options.output, options.corpora)
    train_sets, test_sets = (
        {name: read_set(folder / part, name, options.nj) for name, folder in folders.items()}
        for part in ("train", "test")
    )
    check_speakers(train_sets, test_sets)
    train, test = (list(chain(*sets.values())) for sets in (train_sets, test_sets))
    corpus.check_sets(options.output, train, test)
    corpus.write_sets(options.output, train, test, read_lists(folders))


def check_folders(output: Path, folders: Iterable[Path]) -> dict[str, Path]:
    """The data directories of corpora, by the names that become the prefixes of ids."""
    found: dict[str, Path] = {}
    for folder in folders:
        name = corpus.safe_id(folder.name)
        if name in found:
            raise ValueError(
                f"{found[name]} and {folder} both give the prefix {name!r}: name each corpus once, "
                "and apart (run.sh --name)"
            )
        if folder.resolve() == output.resolve():
            raise ValueError(f"{output} is one of the corpora to join: choose another --name")
        if not all((folder / part / "wav.scp").is_file() for part in ("train", "test")):
            raise ValueError(f"{folder} is not prepared: first run {how_to_prepare(folder.name)}")
        found[name] = folder
    return found


def how_to_prepare(name: str) -> str:
    known = Path(__file__).with_name(f"prepare_{name}.py").is_file()
    corpus_option = f"--corpus {name}" if known else f"--corpus folder --name {name}"
    return f"./run.sh {corpus_option} --stop-stage 0, with the options that say where it lies"


def read_set(data_dir: Path, prefix: str, num_jobs: int) -> list[Utterance]:
    """The utterances of a data directory, `prefix` and an underscore before their ids."""
    validate_data_dir(data_dir)
    utt2spk = read_table(data_dir / "utt2spk")
    sexes = read_optional_table(data_dir / "spk2gender")
    texts = read_texts(data_dir)
    paths = {key: file_of_entry(entry) for key, entry in read_table(data_dir / "wav.scp").items()}
    infos = corpus.read_infos(list(paths.values()), num_jobs)
    lost = [path for path in paths.values() if path not in infos]
    if lost:  # its trials would lose them too, and no longer be the corpus's own
        raise ValueError(
            f"{data_dir}/wav.scp names {len(lost)} files that are bad now, first {lost[0]}: mend "
            f"them, or prepare {data_dir.parent} anew"
        )
    return [
        Utterance(
            f"{prefix}_{key}",
            f"{prefix}_{utt2spk[key]}",
            path,
            infos[path],
            sexes.get(utt2spk[key]),
            texts.get(key),
        )
        for key, path in paths.items()
    ]


def check_speakers(*sets: dict[str, list[Utterance]]) -> None:
    """Refuse an id that stands for two speakers: `1_x` of corpus `a`, and `x` of corpus `a_1`."""
    owners: dict[str, str] = {}
    for utterances_of in sets:
        for name, utterances in utterances_of.items():
            for item in utterances:
                owner = owners.setdefault(item.speaker, name)
                if owner != name:
                    raise ValueError(
                        f"speaker id {item.speaker!r} comes from both {owner!r} and {name!r}: "
                        "prepare one of them with another --name"
                    )


def read_lists(folders: dict[str, Path]) -> dict[str, list[Trial]]:
    """The trial lists of the corpora, by their files' names in the joined test directory."""
    lists: dict[str, list[Trial]] = {}
    for name, folder in folders.items():
        utt2spk = read_table(folder / "test" / "utt2spk")
        for path in find_trial_lists(folder / "test").values():
            file_name = f"trials_{name}{path.name.removeprefix('trials')}"
            if file_name in lists:
                raise ValueError(f"{path} would become a second {file_name}: rename it")
            lists[file_name] = [
                Trial(f"{name}_{enroll}", f"{name}_{test}", target)
                for enroll, test, target in read_known_trials(path, utt2spk)
            ]
    return lists


if __name__ == "__main__":
    command.run(main)
