"""Who speaks when: from a recording, a model and who is enrolled, to a track."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from deep_speaker.embeddings.unit_length import average
from deep_speaker.kaldi.audio import open_file
from deep_speaker.kaldi.audio_files import AudioFile
from deep_speaker.tracking.assignment import Voice, assign
from deep_speaker.tracking.regions import find_regions, mark_file
from deep_speaker.tracking.track import Segment, Track
from deep_speaker.tracking.windows import Windows, embed_regions
from deep_speaker.voices.channels import find_unheard
from deep_speaker.voices.decisions import Criterion, find_threshold
from deep_speaker.voices.recordings import SHORTEST_SPEECH, UNREADABLE
from deep_speaker.voices.voice_model import VoiceModel


def track(
    model: VoiceModel,
    audio: Path,
    enrolled: Mapping[str, np.ndarray],
    cluster: bool,
    criterion: Criterion,
    channel: int = 0,
) -> Track:
    """Tell who speaks when. Where several speak at once, one of them is named.

    Args:
        enrolled: vectors of each speaker by the same model, unit length, shape (examples, dim).
        cluster: tell the others apart, instead of calling all of them unknown.
        criterion: when a window speaks for a speaker, however many are enrolled.
        channel: which one to hear, from 0.

    Raises:
        ValueError: no such recording, it cannot be read, or nothing tells speakers apart.
    """
    threshold = find_threshold(model.scoring.decisions, criterion)
    if threshold is None:
        raise ValueError(
            f"{model.name} is not calibrated (too few held-out speakers): give the score from "
            "which on the answer is yes, --threshold"
        )
    if not enrolled and not cluster:
        raise ValueError("nobody is enrolled: enrol speakers, or tell them apart with --cluster")
    seconds, windows, warnings = read_windows(model, audio, channel)
    segments = []
    if windows is not None:
        voices = assign(model, windows, enrolled, threshold, cluster)
        segments = join_segments(model, windows, voices)
    return Track(audio, seconds, threshold, segments, warnings)


def read_windows(
    model: VoiceModel, audio: Path, channel: int = 0
) -> tuple[float, Windows | None, list[str]]:
    """Return the length of a recording in seconds, its windows, and what is to be warned of.

    Windows are None where nobody speaks.

    It is read a minute at a time; but what only ffmpeg decodes is held in memory.
    """
    if not audio.is_file():
        raise ValueError(f"{audio}: no such file")
    try:
        with open_file(audio.resolve()) as file:
            file.count()  # a compressed file may hold less than its header says
            warnings = warn_of_channels(file, channel, model.sampling_rate)
            file.channel = channel
            regions = find_regions(file, model.sampling_rate)
            windows = embed_regions(file, regions, model.embedder) if regions else None
            return file.frames / file.samplerate, windows, warnings
    except ValueError as error:
        raise ValueError(f"{audio}: {error}: {UNREADABLE}") from error


def warn_of_channels(file: AudioFile, channel: int, rate: int) -> list[str]:
    """Say that an open recording holds speech on another channel; see `find_unheard`."""

    def mark(channel: int) -> np.ndarray:
        file.channel = channel
        return mark_file(file, rate)

    if file.channels == 1:
        return []
    said = find_unheard(mark(channel), channel, file.channels, mark, SHORTEST_SPEECH)
    return [said] if said else []


def join_segments(model: VoiceModel, windows: Windows, voices: Sequence[Voice]) -> list[Segment]:
    """Join windows of one speaker that follow each other within a region, and score them.

    Args:
        voices: of each window.
    """
    names = np.array([name for name, _ in voices])
    changes = (names[1:] != names[:-1]) | (windows.regions[1:] != windows.regions[:-1])
    parts = np.split(np.arange(len(names)), np.flatnonzero(changes) + 1)
    return [
        Segment(
            float(windows.starts[part[0]]),
            float(windows.ends[part[-1]]),
            *score_segment(model, voices[part[0]], windows.vectors[part]),
        )
        for part in parts
    ]


def score_segment(model: VoiceModel, voice: Voice, vectors: np.ndarray) -> tuple[str, float | None]:
    """Return the name of a voice, and its score with the windows of a segment together."""
    name, examples = voice
    if examples is None:
        return name, None
    return name, float(model.score([examples], average(vectors)[None])[0, 0])
