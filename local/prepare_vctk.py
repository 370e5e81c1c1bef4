#!/usr/bin/env python3
"""Stage 0 for VCTK, versions 0.92 and 0.80: its speakers are split into train and test.

The layout below --corpus-dir is wav48_silence_trimmed/p225/p225_001_mic1.flac (0.92, of two
microphones: --mic) or wav48/p225/p225_001.wav (0.80), txt/p225/p225_001.txt and speaker-info.txt.
A random share of the speakers tests, the others train, as with folders of your own. Ids are p225
and p225-001. Speakers p280 (no second microphone in 0.92) and p315 (no texts) are kept. The
recordings are of 48 kHz, which stage 1 converts.
"""

# Lhotse's recipe reads the headers of both microphones in one thread before it drops one, leaves
# p315 out, and lacks the sex of speakers whom speaker-info.txt does not list.

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

from deep_speaker.corpora import preparation
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from deep_speaker.system import command
from deep_speaker.system.files import read_utf8

LAYOUT = "wav48_silence_trimmed/p225/p225_001_mic1.flac (0.92) or wav48/p225/p225_001.wav (0.80)"
# Missing in the table of 0.80; that of 0.92 has her.
SEXES_NOT_LISTED = {"p280": "f"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    preparation.add_options(parser)
    preparation.add_folder_options(parser, "VCTK-Corpus-0.92/ or VCTK-Corpus/")
    parser.add_argument("--mic", choices=("1", "2"), default="1", help="of 0.92 (default 1)")
    preparation.add_share_option(parser)
    options = parser.parse_args()
    paths = find_audio(options.corpus_dir, options.mic)
    chosen = preparation.choose_test_speakers(
        (path.parent.name for path in paths), options.test_share, options.data_seed
    )
    sexes = read_sexes(options.corpus_dir / "speaker-info.txt")
    train, test = (
        [path for path in paths if (path.parent.name in chosen) == tests] for tests in (False, True)
    )
    preparation.write_corpus(
        options,
        read_utterances(options.corpus_dir, train, sexes, options.nj),
        read_utterances(options.corpus_dir, test, sexes, options.nj),
    )


def find_audio(folder: Path, mic: str) -> list[Path]:
    """Find the recordings of one microphone."""
    if (folder / "wav48_silence_trimmed").is_dir():
        files = f"*_*_mic{mic}.*"
        paths = preparation.find_audio(folder / "wav48_silence_trimmed", "*", files)
    elif mic == "1":
        paths = preparation.find_audio(folder / "wav48", "*", "*_*.*")
    else:
        raise ValueError(f"{folder}: --mic {mic} needs VCTK 0.92; expected {LAYOUT} in it")
    if not paths:
        raise ValueError(f"{folder}: no recordings of VCTK; expected {LAYOUT} in it")
    return paths


def read_sexes(path: Path) -> dict[str, str]:
    """Read speakers' sexes from speaker-info.txt.

    A line reads `p225  23  F  English  Southern England`, in 0.80 without the p. Accent, region and
    a comment may be missing, as may the header.
    """
    if not path.is_file():
        logging.warning("%s is missing: no same-sex results", path)
        return {}
    sexes = dict(SEXES_NOT_LISTED)
    for line in read_utf8(path).splitlines():
        name, _, sex = [*line.split(), "", "", ""][:3]
        if sex in ("F", "M"):
            sexes[f"p{name}" if name.isdigit() else name] = sex.lower()
    return sexes


def read_utterances(
    folder: Path, paths: list[Path], sexes: dict[str, str], num_jobs: int
) -> Iterator[Utterance]:
    """Yield the utterances <speaker>-<number> of recordings, with their texts."""
    for path, info in preparation.read_infos(paths, num_jobs):
        speaker, number = path.parent.name, path.stem.split("_")[1]
        text = folder / "txt" / speaker / f"{speaker}_{number}.txt"
        words = " ".join(read_utf8(text).split()) if text.is_file() else None
        entry = wav_entry(path, info)
        yield Utterance(
            f"{speaker}-{number}", speaker, entry, info, sexes.get(speaker), words or None
        )


if __name__ == "__main__":
    command.run(main)
