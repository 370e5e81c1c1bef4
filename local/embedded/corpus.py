"""The embedded corpus: spoken, recorded and written as 16 kHz WAV files, the same for one seed.

Ids sort as Kaldi wants them: speaker `emb0001`, utterance `emb0001-001`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from deep_speaker.system.processes import map_in_processes
from embedded import sessions, voices
from embedded.voices import Voice

SHORTEST_S, LONGEST_S = 3.0, 6.0
# espeak-ng takes at least 0.88 of the time that its words per minute promise, and its longest word
# with the pause behind it lasts about 1.3 s: enough to find a word's end near the wanted duration.
LEAST_WORD_TIME, LONGEST_WORD_S = 0.88, 1.3
SPEAK_PROGRAM = Path(__file__).with_name("speak.py")

Written = tuple[str, Path, str]  # utterance id, WAV file, text


@dataclass(frozen=True)
class Request:
    """An utterance to be spoken by espeak-ng, and its duration once it is recorded."""

    text: str
    rate: int  # words per minute
    pitch: int  # 0 to 100
    pitch_range: int  # 0 to 100
    duration_s: float


@dataclass(frozen=True)
class Speech:
    """The speech of espeak-ng."""

    samples: np.ndarray  # int16, shape (samples,), 22050 Hz
    words: np.ndarray  # shape (words, 2): first character in the text, first sample


def speaker_id(speaker: int) -> str:
    """Name a speaker: `emb0001`."""
    if not 0 <= speaker <= 9999:
        raise ValueError(f"speaker {speaker} is out of range; choose 0 to 9999")
    return f"emb{speaker:04d}"


def utterance_id(speaker: int, utterance: int) -> str:
    """Name an utterance: `emb0001-001`."""
    if not 1 <= utterance <= 999:
        raise ValueError(f"utterance {utterance} is out of range; choose 1 to 999")
    return f"{speaker_id(speaker)}-{utterance:03d}"


def synthesise_corpus(
    folder: Path, speakers: range, num_utterances: int, seed: int, nj: int
) -> list[Written]:
    """Write the utterances of all speakers, in `nj` processes; the files do not depend on `nj`.

    Returns:
        (utterance id, WAV file, text), sorted by id.
    """
    work = partial(synthesise_speaker, seed, num_utterances=num_utterances, folder=folder)
    results = map_in_processes(work, speakers, nj)
    bar = tqdm(results, "Speaking", len(speakers), unit="speaker", disable=None, leave=False)
    return [written for result in bar for written in result]


def synthesise_speaker(seed: int, speaker: int, num_utterances: int, folder: Path) -> list[Written]:
    """Write `<folder>/<speaker id>/<utterance id>.wav` for utterances 1 to `num_utterances`.

    Returns:
        (utterance id, WAV file, text), sorted by id.
    """
    voice = voices.draw_voice(seed, speaker)
    names = {number: utterance_id(speaker, number) for number in range(1, num_utterances + 1)}
    requests = [draw_request(seed, speaker, number, voice) for number in names]
    try:
        speeches = speak(voice, requests)
    except ValueError as error:
        raise ValueError(f"{speaker_id(speaker)}: {error}") from None
    speaker_folder = folder / speaker_id(speaker)
    speaker_folder.mkdir(parents=True, exist_ok=True)
    written = []
    for (number, name), request, speech in zip(names.items(), requests, speeches, strict=True):
        path = speaker_folder / f"{name}.wav"
        sound, text = record(
            speech, request, voice, np.random.default_rng((seed, speaker, number, 1))
        )
        soundfile.write(path, sound, sessions.SAMPLE_RATE, subtype="PCM_16")
        written.append((name, path, text))
    return written


def draw_request(seed: int, speaker: int, utterance: int, voice: Voice) -> Request:
    """Draw what an utterance says and how, with some words more than fit its duration.

    Utterances count from 1: NumPy gives (seed, speaker, 0) the stream of (seed, speaker), which
    is the voice's. The session's stream ends in a 1 of its own.
    """
    random = np.random.default_rng((seed, speaker, utterance))
    duration_s = random.uniform(SHORTEST_S, LONGEST_S)
    rate = round(voice.rate * np.exp(random.normal(0, 0.1)))
    pitch = round(np.clip(random.normal(50, 8), 0, 100))
    least_seconds_per_word = LEAST_WORD_TIME * 60 / (rate * voice.speed / 100)
    num_words = (duration_s + LONGEST_WORD_S) * voice.warp / least_seconds_per_word
    num_sentences = int(np.ceil(num_words / voices.WORDS_PER_SENTENCE))
    text = voices.draw_sentences(random, num_sentences)
    return Request(text, rate, pitch, voice.pitch_range, duration_s)


def speak(voice: Voice, requests: Sequence[Request]) -> list[Speech]:
    """Have a fresh espeak-ng process speak the requests, in order."""
    question = {
        "language": voice.language,
        "variant": voices.variant_text(voice),
        "utterances": [asdict(request) for request in requests],
    }
    program = _speak_program(os.getpid())
    assert program.stdin and program.stdout
    program.stdin.write(json.dumps(question).encode() + b"\n")
    program.stdin.flush()
    sizes = program.stdout.read(8)
    if len(sizes) < 8:
        raise OSError(f"{SPEAK_PROGRAM.name} ended: standard error may tell why")
    failed, size = np.frombuffer(sizes, np.uint32).tolist()
    answer = program.stdout.read(size)
    if failed:
        raise ValueError(f"espeak-ng failed: {answer.decode(errors='replace')}")
    return split(answer, len(requests))


@cache
def _speak_program(process: int) -> "subprocess.Popen[bytes]":
    """Start the program that speaks, once in a process; it ends where that one closes its input."""
    command = [sys.executable, str(SPEAK_PROGRAM)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def split(answer: bytes, num_utterances: int) -> list[Speech]:
    """Split what speak.py wrote (see there) into utterances."""
    speeches, offset = [], 0
    for _ in range(num_utterances):
        num_words, num_samples = np.frombuffer(answer, np.uint32, 2, offset).tolist()
        words = np.frombuffer(answer, np.uint32, 2 * num_words, offset + 8).reshape(-1, 2)
        offset += 8 + 8 * num_words
        speeches.append(Speech(np.frombuffer(answer, np.int16, num_samples, offset), words))
        offset += 2 * num_samples
    return speeches


def record(
    speech: Speech, request: Request, voice: Voice, random: np.random.Generator
) -> tuple[np.ndarray, str]:
    """Cut, warp and record one utterance: its sound (int16, 16 kHz) and its words."""
    ratio = sessions.resampling_ratio(voice.warp)
    num_samples, text = cut(speech, request, float(ratio))
    scaled = speech.samples[:num_samples] / np.float32(32768)
    session = sessions.draw_session(random)
    return sessions.record(sessions.resample(scaled, ratio), session, random), text


def cut(speech: Speech, request: Request, ratio: float) -> tuple[int, str]:
    """Choose the word boundary nearest the wanted duration within 3 to 6 s.

    Returns:
        The number of samples to keep, and the words they hold.
    """
    ends = np.append(speech.words[1:, 1], len(speech.samples))
    positions = np.append(speech.words[1:, 0], len(request.text))
    durations_s = ends * (ratio / sessions.SAMPLE_RATE)
    allowed = (durations_s >= SHORTEST_S) & (durations_s <= LONGEST_S)
    if not allowed.any():
        raise ValueError(f"no word ends after 3 to 6 s of '{request.text}': try another seed")
    distances = np.where(allowed, np.abs(durations_s - request.duration_s), np.inf)
    nearest = int(distances.argmin())
    return int(ends[nearest]), request.text[: positions[nearest]].strip()
