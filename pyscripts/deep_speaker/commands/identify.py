"""Tell who of the enrolled speaks in recordings, or that nobody of them does.

    deep-speaker identify unknown.wav
    deep-speaker identify --speakers voices --false-alarms 0.01 *.wav
    deep-speaker identify --json unknown.wav
    arecord -q -f S16_LE -r 16000 -c 1 -t raw | deep-speaker identify --stream

--stream reads samples from standard input (raw, 16-bit, little-endian, one channel, at the rate of
the model, which is 16000 Hz of the one that ships) and prints once a second who speaks, by the
last 3 seconds.

With N speakers enrolled an unknown voice can be taken for each of them: the prior, or the wanted
rate of false alarms, is shared among them, so that it holds for all together. The exit status is
1 where a recording was refused, otherwise 0, whatever the answer.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deep_speaker.commands.hearing import hear_each
from deep_speaker.commands.options import (
    add_channel_option,
    add_decision_options,
    add_json_option,
    add_model_option,
    add_speakers_option,
    criterion_of,
    model_of,
    store_of,
)
from deep_speaker.commands.wording import describe_rates, print_json
from deep_speaker.voices.identification import Identification, identify
from deep_speaker.voices.recordings import SHORTEST_SPEECH
from deep_speaker.voices.speech import speech_seconds
from deep_speaker.voices.streams import each_second
from deep_speaker.voices.voice_model import VoiceModel
from deep_speaker.voices.wording import percent

SHOWN = 5  # candidates of each recording; JSON has them all
NOBODY = "nobody who is enrolled"
TOO_LITTLE = "(too little voice)"
Answer = Callable[[np.ndarray], Identification]  # from the vector of a voice


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("files", type=Path, nargs="*", help="recordings of a single voice each")
    parser.add_argument("--stream", action="store_true", help="listen to standard input instead")
    add_speakers_option(parser)
    add_decision_options(parser)
    add_channel_option(parser)
    add_model_option(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> None:
    """Identify recordings, or a stream, and print the answers."""
    if bool(options.files) == options.stream:
        raise ValueError("no recordings: name some, or take --stream, and not both")
    if options.stream and options.channel:
        raise ValueError("--channel is for recordings: --stream takes one channel")
    model = model_of(options)
    speakers = store_of(options, model).speakers()
    answer = partial(identify, model, speakers, criterion=criterion_of(options))
    if options.stream:
        answer_stream(model, answer, options.json)
    else:
        answer_files(model, answer, options)


def answer_files(model: VoiceModel, answer: Answer, options: argparse.Namespace) -> None:
    """Print who speaks in each file."""
    content: list[dict[str, Any]] = []
    found = None
    for file, voice in hear_each(model, options.files, options.channel):
        if isinstance(voice, str):
            content.append({"file": str(file), "refused": voice})
            continue
        found = answer(voice.vector)
        warnings = {"warnings": voice.recording.warnings}
        content.append({"file": str(file)} | to_json(found) | warnings)
        if not options.json:
            print_answer(str(file), found)
    if options.json:
        print_json(content)
    elif found is not None:
        print_rates(found)
    if any("refused" in each for each in content):
        sys.exit(1)


def print_answer(file: str, found: Identification) -> None:
    """Print who speaks in a file, and the best candidates."""
    undecided = "not decided" if found.decision.same is None else NOBODY
    print(f"{file}: {found.name or undecided}")
    width = max(len(each.name) for each in found.candidates[:SHOWN])
    for each in found.candidates[:SHOWN]:
        print(f"  {each.name:{width}}  score {each.score:6.3f}{likely(each.probability)}")
    if found.nobody is not None:
        print(f"  {NOBODY}{likely(found.nobody)}")


def likely(probability: float | None) -> str:
    """Return a probability as words that follow others; nothing where it is not known."""
    return "" if probability is None else f", probability {percent(probability)}"


def print_rates(found: Identification) -> None:
    """Print how often such answers are wrong; it depends on how many are enrolled alone."""
    decision, number = found.decision, len(found.candidates)
    if decision.threshold is not None:
        print(f"Threshold {decision.threshold:.3f}, for {number} enrolled.")
    print(describe_rates(decision))
    if found.unknown_accepted is not None and number > 1:
        taken = percent(found.unknown_accepted)
        print(f"So about {taken} of unknown voices are taken for one of the {number}.")


def to_json(found: Identification) -> dict[str, Any]:
    """Return an answer for JSON."""
    decision = asdict(found.decision)
    return {
        "name": found.name,
        "decided": found.decision.same is not None,
        "nobody": found.nobody,
        "candidates": [asdict(candidate) for candidate in found.candidates],
        "threshold": decision["threshold"],
        "false_alarm_rate": decision["false_alarm_rate"],
        "miss_rate": decision["miss_rate"],
        "measured": decision["measured"],
        "unknown_accepted": found.unknown_accepted,
    }


def answer_stream(model: VoiceModel, answer: Answer, as_json: bool) -> None:
    """Print who speaks on standard input, once a second."""
    for seconds, samples in each_second(sys.stdin.buffer, model.sampling_rate):
        found = None
        if speech_seconds(samples, model.sampling_rate) >= SHORTEST_SPEECH:
            found = answer(model.embedder(samples))
        if as_json:
            line = json.dumps(
                {"seconds": seconds} | ({} if found is None else to_json(found)), ensure_ascii=False
            )
        else:
            line = f"{seconds:5d} s  {TOO_LITTLE if found is None else describe_best(found)}"
        print(line, flush=True)


def describe_best(found: Identification) -> str:
    """Return the best candidate in one line."""
    best = found.candidates[0]
    name = found.name or NOBODY if found.decision.same is not None else f"perhaps {best.name}"
    return f"{name} (best {best.name}, score {best.score:.3f}{likely(best.probability)})"
