#!/usr/bin/env python3
"""Diarization error rates of tracking on conversations of unseen speakers; time and memory.

Conversations of 2 to 4 speakers are joined from utterances of a corpus, without overlap, with
pauses of 0.2 to 1 s, each utterance once; see tests/support/conversations.py. Errors are shares of
the reference's speech, by spyder, with a collar of 0.25 s on both sides of each of its boundaries.
With --hour instead: an hour of the first corpus, its utterances repeated.

    . ./path.sh; export PYTHONPATH=$PYTHONPATH:tests
    tests/benchmarks/benchmark_tracking.py models/small ../shared/corpora/{an4,commands_ar}/dev
"""

import argparse
import resource
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
import spyder

from deep_speaker.tracking.assignment import assign
from deep_speaker.tracking.tracker import join_segments, read_windows, track
from deep_speaker.tracking.windows import Windows
from deep_speaker.voices.decisions import Criterion, find_threshold
from deep_speaker.voices.loading import load
from deep_speaker.voices.voice_model import VoiceModel
from support.conversations import (
    RATE,
    Conversation,
    Spans,
    join_conversation,
    read_speakers,
)

COLLAR = 0.25
EXAMPLES = 3  # recordings that enrol a speaker
SHORTEST = 0.3  # seconds of one: AN4 has utterances of one word
ANCHOR = 1e5  # seconds
HOUR = 3600


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("corpora", nargs="+", type=Path, help="a folder for each speaker in it")
    parser.add_argument("--conversations", type=int, default=6, help="of each corpus")
    parser.add_argument("--hour", action="store_true")
    options = parser.parse_args()
    model = load(options.model, "cpu")
    if options.hour:
        measure_hour(model, read_speakers(options.corpora[0]))
        return
    print(f"{'corpus':16}{'enrolled':26}{'miss %':>8}{'false alarm %':>15}{'confusion %':>13}"
          f"{'DER %':>8}{'speakers too many':>19}")  # fmt: skip
    for folder in options.corpora:
        report(str(folder), model, list(converse(folder, options.conversations)))


def converse(folder: Path, number: int) -> Iterator[Conversation]:
    """Yield conversations of 2 to 4 of a corpus's speakers."""
    speakers = read_speakers(folder)
    for seed in range(number):
        rng = np.random.default_rng(seed)
        count = int(rng.integers(2, 4, endpoint=True))
        chosen = rng.choice(sorted(speakers), count, replace=False)
        yield join_conversation({name: speakers[name] for name in chosen}, EXAMPLES, rng)


def report(corpus: str, model: VoiceModel, conversations: list[Conversation]) -> None:
    """Print the errors of a corpus by how many are enrolled."""
    heard = [(each, hear(model, each), enrol(model, each)) for each in conversations]
    minutes = sum(each.seconds for each in conversations) / 60
    print(f"{corpus}: {len(heard)} conversations, {minutes:.0f} min")
    for title, left_out, examples, cluster in (
        ("all, by 1 example", 0, 1, False),
        (f"all, by {EXAMPLES}", 0, EXAMPLES, False),
        ("all but one", 1, EXAMPLES, False),
        ("all but one, --cluster", 1, EXAMPLES, True),
        ("nobody, --cluster", 9, EXAMPLES, True),
    ):
        errors, too_many = np.zeros(4), []
        for conversation, windows, vectors in heard:
            known = {name: vectors[name][:examples] for name in list(vectors)[left_out:]}
            found = follow(model, windows, known, cluster)
            reference = conversation.spans
            if not cluster:
                reference = [
                    (who if who in known else "unknown", start, end)
                    for who, start, end in reference
                ]
            errors += count_errors(reference, found, {name for name, *_ in found} & {*known})
            too_many.append(len({who for who, *_ in found}) - len({who for who, *_ in reference}))
        miss, false_alarm, confusion = 100 * errors[:3] / errors[3]
        rates = f"{miss:8.1f}{false_alarm:15.1f}{confusion:13.1f}"
        rates += f"{miss + false_alarm + confusion:8.1f}{np.mean(too_many):19.1f}"
        print(f"{'':16}{title:26}{rates}", flush=True)


def hear(model: VoiceModel, conversation: Conversation) -> Windows:
    """Return the windows of a conversation."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "conversation.wav"
        soundfile.write(path, conversation.samples, RATE, subtype="PCM_16")
        windows = read_windows(model, path)[1]
        assert windows is not None
        return windows


def enrol(model: VoiceModel, conversation: Conversation) -> dict[str, np.ndarray]:
    """Return the vectors of each speaker's other recordings."""
    return {
        name: np.stack([model.hear(path, shortest=SHORTEST).vector for path in paths])
        for name, paths in conversation.enrolled.items()
    }


def follow(
    model: VoiceModel, windows: Windows, known: Mapping[str, np.ndarray], cluster: bool
) -> Spans:
    """Track windows, as `track` does."""
    threshold = find_threshold(model.scoring.decisions, Criterion())
    assert threshold is not None
    voices = assign(model, windows, known, threshold, cluster)
    segments = join_segments(model, windows, voices)
    return [(segment.speaker, segment.start, segment.end) for segment in segments]


def count_errors(reference: Spans, found: Spans, names: set[str]) -> np.ndarray:
    """Return seconds missed, falsely found and confused, and of speech in the reference.

    Args:
        names: who must be found by name. Spyder takes whichever name fits best; a long turn of
            each that both sides have, far from the recording, makes that the right one.
    """
    scored = spyder.DER(reference, found, collar=COLLAR)
    anchors = [
        (name, (2 * place + 1) * ANCHOR, (2 * place + 2) * ANCHOR)
        for place, name in enumerate(sorted(names | {"unknown"}))
    ]
    named = spyder.DER(reference + anchors, found + anchors, collar=COLLAR)
    confused = named.conf * named.duration
    return np.array(
        [scored.miss * scored.duration, scored.falarm * scored.duration, confused, scored.duration]
    )


def measure_hour(model: VoiceModel, speakers: Mapping[str, list[Path]]) -> None:
    """Track an hour of all speakers, half of whom are enrolled."""
    rng = np.random.default_rng(0)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "hour.wav"
        with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
            while file.frames < HOUR * RATE:
                part = join_conversation(speakers, EXAMPLES, rng)
                file.write(part.samples[: HOUR * RATE - file.frames])
        enrolled = enrol(model, part)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start, used = time.perf_counter(), time.process_time()
        half = dict(list(enrolled.items())[::2])
        found = track(model, path, half, True, Criterion())
        used, elapsed = time.process_time() - used, time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"an hour: {used:.0f} s of processor, {used / HOUR:.3f} of its length; {elapsed:.0f} s by "
        f"the clock; peak memory {peak / 1024:.0f} MB, {before / 1024:.0f} MB before; "
        f"{len(found.segments)} segments of {len(found.speakers)} speakers"
    )


if __name__ == "__main__":
    main()
