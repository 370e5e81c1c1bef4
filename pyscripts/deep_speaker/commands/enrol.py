"""Enrol a speaker by recordings, or add more of them.

    deep-speaker enrol ana ana1.wav
    deep-speaker enrol --speakers voices "Ana Müller" ana1.wav ana2.flac
    deep-speaker enrol --keep-audio ana ana3.wav     # keeps a copy of the recording too

One recording is enough; more are better. A recording that is enrolled already is not counted
twice. If one of the recordings is refused, none is enrolled.

A voice is biometric data: ask the person. What is kept are numbers made from the recording, by
which the voice is recognised; the recording itself only with --keep-audio.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from deep_speaker.commands.hearing import hear, with_progress
from deep_speaker.commands.options import (
    PROGRAM,
    add_channel_option,
    add_json_option,
    add_model_option,
    add_speakers_option,
    model_of,
    store_of,
)
from deep_speaker.commands.wording import print_json
from deep_speaker.voices.enrolment import find_doubts
from deep_speaker.voices.speaker_files import clean_name


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("name", help="of the speaker: any letters and spaces")
    parser.add_argument("files", type=Path, nargs="+", help="recordings of this speaker alone")
    parser.add_argument(
        "--keep-audio", action="store_true", help="copy the recordings beside the speaker's file"
    )
    add_speakers_option(parser)
    add_channel_option(parser)
    add_model_option(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> None:
    """Enrol a speaker and print what was added."""
    name = clean_name(options.name)
    model = model_of(options)
    store = store_of(options, model)
    vectors = np.stack(
        [hear(model, file, options.channel).vector for file in with_progress(options.files)]
    )
    is_new = store.add(name, vectors, [file.name for file in options.files])
    if options.keep_audio:
        for file in options.files:
            store.keep_audio(name, file)
    everybody = {each.name: each for each in store.speakers()}
    speaker = everybody.pop(name)
    for doubt in find_doubts(model, speaker, everybody.values()):
        print(f"{PROGRAM}: warning: {doubt}", file=sys.stderr)
    total = len(speaker.vectors)
    known = [str(file) for file, new in zip(options.files, is_new, strict=True) if not new]
    if options.json:
        content = {"name": name, "added": sum(is_new), "known_already": known, "examples": total}
        print_json(content | {"speakers": str(options.speakers), "model": model.name})
        return
    for file in known:
        print(f"{file}: enrolled already, not counted twice")
    print(f"{name}: {sum(is_new)} added, {total} in {options.speakers}")
