#!/usr/bin/env python3
"""Stage 0 for the embedded corpus: synthetic speakers, made here by espeak-ng voices.

Every speaker is a random voice and every utterance a random session (microphone, room, noise,
level), byte-identical for one --data-seed. The first speakers test, so that the test set stays the
same for any number of training speakers. The audio lies in <output>/wav/<speaker>/.
"""

import argparse
from pathlib import Path

from deep_speaker.corpora import preparation
from deep_speaker.kaldi.audio import read_info
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import wav_entry
from deep_speaker.system import command
from deep_speaker.system.files import replacing_directory
from deep_speaker.system.locks import locked
from embedded.corpus import speaker_id, synthesise_corpus
from embedded.voices import draw_voice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    preparation.add_options(parser)
    for name, default in (("test-speakers", 40), ("train-speakers", 300), ("utterances", 10)):
        parser.add_argument(f"--num-{name}", type=command.positive_int, default=default)
    options = parser.parse_args()
    if (
        options.num_utterances < 2
        or options.num_test_speakers < 2
        or options.num_train_speakers < 4
    ):
        raise ValueError(
            "expected at least 2 utterances per speaker, 2 test and 4 training speakers, got "
            f"{options.num_utterances}, {options.num_test_speakers}, {options.num_train_speakers}"
        )
    with locked(options.output):
        prepare(options)


def prepare(options: argparse.Namespace) -> None:
    """Speak the corpus, and write its manifests, data directories and trials."""
    audio = command.resolved_path(str(options.output / "wav"))
    num_speakers = options.num_train_speakers + options.num_test_speakers
    with replacing_directory(audio) as partial:
        made = synthesise_corpus(
            partial, range(num_speakers), options.num_utterances, options.data_seed, options.nj
        )
    sexes = {speaker_id(i): draw_voice(options.data_seed, i).sex for i in range(num_speakers)}
    utterances = [
        make_utterance(utterance, audio / path.relative_to(partial), sexes, text)
        for utterance, path, text in made
    ]
    first_training_speaker = speaker_id(options.num_test_speakers)
    preparation.write_corpus(
        options,
        train=[item for item in utterances if item.speaker >= first_training_speaker],
        test=[item for item in utterances if item.speaker < first_training_speaker],
    )


def make_utterance(key: str, path: Path, sexes: dict[str, str], text: str) -> Utterance:
    """Return the utterance of a file that is written."""
    speaker = path.parent.name
    info = read_info(path)
    return Utterance(key, speaker, wav_entry(path, info), info, sexes[speaker], text)


if __name__ == "__main__":
    command.run(main)
