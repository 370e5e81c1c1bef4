"""Lhotse manifests beside the Kaldi tables: recordings and supervisions, by Lhotse itself.

Where they lie, and what stage 1 does to them, is in `manifest_lines`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from lhotse import AudioSource, Recording, RecordingSet, SupervisionSegment, SupervisionSet

from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.kaldi.audio_commands import printing_command
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import file_of_entry
from deep_speaker.system.files import replacing_path

MANIFESTS = ("recordings", "supervisions", "features")


def write_manifests(
    data_dir: Path, utterances: Iterable[Utterance], folder: Path | None = None
) -> None:
    """Write the recordings and supervisions of a data directory, line by line.

    Nothing is held in memory; of segments, the ids of their recordings.

    Args:
        utterances: the same at every iteration; read several times.
        folder: where to write, if not where `manifest_path` says.
    """
    recordings, supervisions, features = (
        (folder or path.parent) / path.name
        for path in (manifest_path(data_dir, kind) for kind in MANIFESTS)
    )
    _write_manifest(RecordingSet, _iterate_recordings(utterances), recordings)
    _write_manifest(SupervisionSet, (_as_supervision(item) for item in utterances), supervisions)
    features.unlink(missing_ok=True)


def _write_manifest(
    kind: type[RecordingSet] | type[SupervisionSet],
    items: Iterable[Recording | SupervisionSegment],
    path: Path,
) -> None:
    with replacing_path(path, suffix=".jsonl.gz") as partial, kind.open_writer(partial) as writer:
        for item in items:
            writer.write(item)


def _iterate_recordings(utterances: Iterable[Utterance]) -> Iterator[Recording]:
    """Yield each recording once; only segments can share one."""
    segmented = any(item.segment for item in utterances)
    seen: set[str] = set()
    for item in utterances:
        if item.recording not in seen:
            yield as_recording(item)
        if segmented:
            seen.add(item.recording)


def as_recording(utterance: Utterance) -> Recording:
    """Describe the whole recording of an utterance to Lhotse, with all its channels.

    What libsndfile cannot read as a file is read through a command, by a shell.
    """
    info = utterance.info
    channels = list(range(info.num_channels))
    command = printing_command(utterance.entry, info)
    if command:
        source = AudioSource("command", channels, command)
    else:
        path = file_of_entry(utterance.entry)
        assert path is not None
        source = AudioSource("file", channels, str(path.absolute()))
    return Recording(
        id=utterance.recording,
        sources=[source],
        sampling_rate=info.sampling_rate,
        num_samples=info.num_samples,
        duration=info.duration,
        channel_ids=channels,
    )


def _as_supervision(utterance: Utterance) -> SupervisionSegment:
    return SupervisionSegment(
        id=utterance.id,
        recording_id=utterance.recording,
        start=utterance.segment.start if utterance.segment else 0,
        duration=utterance.duration,
        channel=utterance.channel,
        text=utterance.text,
        speaker=utterance.speaker,
        gender=utterance.sex,
    )
