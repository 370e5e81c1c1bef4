"""Audio for Lhotse's mixing, read as stage 1 reads it: in any form, at any place, by no other tool.

Recordings that Lhotse by itself would read through a command are given the entry of wav.scp as
their file, which `EntryBackend` opens. What is written of cuts has the command again.
"""

from typing import Any

import numpy as np
from lhotse import AudioSource, Recording
from lhotse.audio.backend import (
    AudioBackend,
    get_current_audio_backend,
    set_current_audio_backend,
)
from lhotse.cut import Cut
from lhotse.utils import compute_num_samples, fastcopy

from deep_speaker.corpora.manifests import as_recording
from deep_speaker.kaldi.audio import open_audio
from deep_speaker.kaldi.utterances import Utterance

commands: dict[str, str] = {}  # of entries that are given as files


class EntryBackend(AudioBackend):
    """Lhotse's reader of files, for entries of wav.scp."""

    def read_audio(
        self,
        path_or_fd: Any,
        offset: float = 0.0,
        duration: float | None = None,
        force_opus_sampling_rate: int | None = None,
    ) -> tuple[np.ndarray, int]:
        """Read all channels of an entry, or of `duration` seconds of it from `offset` on.

        Returns:
            float32 samples in -1..1, shape (channels, num_samples), and their rate.
        """
        entry = str(path_or_fd)
        try:
            with open_audio(entry) as file:
                rate = file.samplerate
                first, last = compute_num_samples(offset, rate), file.claimed
                if duration is not None:
                    last = min(last, first + compute_num_samples(duration, rate))
                return file.read(first, last).T, rate
        except ValueError as error:
            raise ValueError(f"{entry}: {error}") from error


def as_read_here(utterance: Utterance) -> Recording:
    """Describe the whole recording of an utterance to Lhotse, to be read by `EntryBackend`."""
    recording = as_recording(utterance)
    (source,) = recording.sources
    if source.type != "command":
        return recording
    assert isinstance(source.source, str)
    commands[utterance.entry] = source.source
    here = AudioSource("file", source.channels, utterance.entry)
    return fastcopy(recording, sources=[here])


def load_cut(cut: Cut) -> np.ndarray:
    """Mix a cut of such recordings: float32, shape (num_samples,).

    Raises:
        ValueError: and others of Lhotse's: a recording cannot be read.
    """
    before = get_current_audio_backend()
    set_current_audio_backend(EntryBackend())
    try:
        mixed: np.ndarray = cut.load_audio()[0]
        return mixed
    finally:
        set_current_audio_backend(before)


def with_commands(described: Any) -> Any:
    """Return a cut as dicts and lists, with commands where `as_read_here` has put entries."""
    if isinstance(described, list):
        return [with_commands(item) for item in described]
    if not isinstance(described, dict):
        return described
    if described.get("type") == "file" and described.get("source") in commands:
        return described | {"type": "command", "source": commands[described["source"]]}
    return {key: with_commands(value) for key, value in described.items()}
