"""Tell whether two recordings have one voice.

    deep-speaker verify a.wav b.wav
    deep-speaker verify --false-alarms 0.01 a.wav b.flac     # be right about 99 % of strangers
    deep-speaker verify --json a.wav b.wav                   # for programs: see "same"

Prints the answer, the score, what it means, and how often such an answer was wrong on speakers
whom the model did not know. The exit status is 0 whatever the answer.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from deep_speaker.commands.hearing import hear
from deep_speaker.commands.options import (
    add_channel_option,
    add_decision_options,
    add_json_option,
    add_model_option,
    criterion_of,
    model_of,
)
from deep_speaker.commands.wording import describe_rates, describe_score, print_json
from deep_speaker.voices.decisions import Decision

ANSWERS = {True: "The same voice.", False: "Different voices.", None: "Not decided."}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("one", type=Path, help="a recording, at least 1 s of speech")
    parser.add_argument("other", type=Path, help="another one")
    add_decision_options(parser)
    add_channel_option(parser)
    add_model_option(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> None:
    """Compare two recordings and print the answer."""
    model = model_of(options)
    files = [options.one, options.other]
    voices = [hear(model, file, options.channel) for file in files]
    score = model.score([voices[0].vector[None]], voices[1].vector[None])[0, 0]
    decision = model.decide(float(score), criterion_of(options))
    if options.json:
        recordings = [
            {"file": str(file), "warnings": voice.recording.warnings}
            for file, voice in zip(files, voices, strict=True)
        ]
        print_json({"recordings": recordings, "model": model.name} | asdict(decision))
    else:
        print_answer(decision, options.prior)


def print_answer(decision: Decision, prior: float) -> None:
    """Print an answer for people."""
    print(ANSWERS[decision.same])
    print(describe_score(decision, prior))
    print(describe_rates(decision))
