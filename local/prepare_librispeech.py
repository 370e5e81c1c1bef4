#!/usr/bin/env python3
"""Stage 0 for LibriSpeech and mini LibriSpeech, through Lhotse's recipe.

By default every train-* part in --corpus-dir trains, and every test-* part tests (every dev-*
part where there is no test-*, as in mini LibriSpeech). Without the folder, Lhotse downloads the
parts named, or mini LibriSpeech's, where the network allows.
"""

import argparse
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lhotse.recipes.librispeech import (
    LIBRISPEECH,
    MINI_LIBRISPEECH,
    download_librispeech,
    parse_utterance,
)

from deep_speaker import command, corpus
from deep_speaker.audio import AudioInfo
from deep_speaker.bad_items import check_bad_items
from deep_speaker.data_dir import Utterance

PARTS = (*LIBRISPEECH, *MINI_LIBRISPEECH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    corpus.add_options(parser)
    parser.add_argument("--corpus-dir", type=command.resolved_path, help="the folder LibriSpeech/")
    parser.add_argument("--train-parts", nargs="+", choices=PARTS, help="default: all train-*")
    parser.add_argument("--test-parts", nargs="+", choices=PARTS, help="default: all test-*")
    options = parser.parse_args()
    folder = options.corpus_dir
    if folder is None:
        raise ValueError("corpus 'librispeech' needs --corpus-dir, the folder LibriSpeech/")
    if not folder.is_dir():
        mini_train, mini_test = sorted(MINI_LIBRISPEECH, reverse=True)
        wanted = (options.train_parts or [mini_train]) + (options.test_parts or [mini_test])
        folder = download(folder, wanted)
    train = options.train_parts or find_parts(folder, "train-")
    test = options.test_parts or find_parts(folder, "test-") or find_parts(folder, "dev-")
    if not train or not test:
        raise ValueError(
            f"{folder}: no train-* or no test-* or dev-* part in it; --corpus-dir is the folder "
            "LibriSpeech/ itself (to download it anew, remove it)"
        )
    sexes = read_sexes(folder / "SPEAKERS.TXT")
    corpus.write_corpus(
        options,
        [item for part in train for item in read_part(folder / part, sexes, options.nj)],
        [item for part in test for item in read_part(folder / part, sexes, options.nj)],
    )


def download(folder: Path, parts: list[str]) -> Path:
    """Fetch the parts to `folder`, whose name must be LibriSpeech."""
    if folder.name != "LibriSpeech":
        raise ValueError(f"{folder}: no such folder; to download it there, name it .../LibriSpeech")
    logging.info("%s: no such folder; downloading", folder)
    try:
        return download_librispeech(folder.parent, parts)
    except Exception as error:  # whatever the network, the server or the disk raises
        raise ValueError(
            f"{folder}: no such folder, and the download failed ({type(error).__name__}: {error}); "
            "name the LibriSpeech folder with --corpus-dir"
        ) from error


def find_parts(folder: Path, prefix: str) -> list[str]:
    return sorted(part for part in PARTS if part.startswith(prefix) and (folder / part).is_dir())


def read_sexes(path: Path) -> dict[str, str]:
    """Speakers' sexes from SPEAKERS.TXT, whose lines read `id | F or M | part | minutes | name`."""
    if not path.is_file():
        logging.warning("%s is missing: no same-sex results", path)
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [line.split("|") for line in lines if line.strip() and not line.startswith(";")]
    if any(len(row) < 2 for row in rows):
        raise ValueError(f"{path}: a line is not `id | F or M | ...`")
    return {row[0].strip(): row[1].strip().lower() for row in rows}


def read_part(folder: Path, sexes: dict[str, str], num_jobs: int) -> list[Utterance]:
    """All utterances of a part; bad files are logged and left out, see `check_bad_items`."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such part of the corpus")
    transcripts = sorted(folder.rglob("*.trans.txt"))
    texts = [path.read_text(encoding="utf-8") for path in transcripts]
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{folder}: no <speaker>/<chapter>/*.trans.txt with lines in it")

    def parse(line: str) -> Utterance | str:
        name = line.split()[0]
        if not folder.joinpath(*name.split("-")[:-1], f"{name}.flac").is_file():
            return "no such FLAC file"
        try:
            recording, supervision = parse_utterance(folder, line, {})
        except Exception as error:  # Lhotse tries several libraries, each with errors of its own
            return command.describe(error).split(" Details:")[0]
        info = AudioInfo(recording.sampling_rate, recording.num_samples, 1, "FLAC", "PCM_16")
        path = Path(recording.sources[0].source)
        speaker = supervision.speaker
        return Utterance(supervision.id, speaker, path, info, sexes.get(speaker), supervision.text)

    with ThreadPoolExecutor(num_jobs) as pool:
        results = list(pool.map(parse, lines))
    bad = {
        line.split()[0]: result
        for line, result in zip(lines, results, strict=True)
        if isinstance(result, str)
    }
    check_bad_items(bad, len(lines), "files", f"mend or remove the files in {folder}")
    utterances = [item for item in results if isinstance(item, Utterance)]
    logging.info("%s: %d of %d utterances have audio", folder, len(utterances), len(lines))
    return utterances


if __name__ == "__main__":
    command.run(main)
