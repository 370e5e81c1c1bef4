"""Lhotse manifests beside the Kaldi tables: recordings, supervisions and stored features.

They lie in `<corpus>/manifests/<corpus>_<kind>_<set>.jsonl.gz`, Lhotse's own naming, for the data
directory `<corpus>/<set>`, and share its utterance ids.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from lhotse import (
    AudioSource,
    CutSet,
    Features,
    FeatureSet,
    Recording,
    RecordingSet,
    SupervisionSegment,
    SupervisionSet,
)
from lhotse.cut import Cut
from lhotse.utils import compute_num_frames, fastcopy

from deep_speaker.config import Features as FeatureConfig
from deep_speaker.kaldi.audio_commands import printing_command
from deep_speaker.kaldi.data_dir import parse_segment
from deep_speaker.kaldi.lengths import Lengths
from deep_speaker.kaldi.mapped_tables import MappedTable
from deep_speaker.kaldi.tables import iterate_table
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.kaldi.wav_entries import channel_of_entry, file_of_entry
from deep_speaker.system.files import replacing_path

# Front ends' names in feature manifests.
TYPES = {
    "kaldi": "kaldi-fbank",
    "torchaudio": "torchaudio-spectrogram",
    "python_speech_features": "python_speech_features-fbank",
    "speechbrain": "speechbrain-fbank",
}


def manifest_path(data_dir: Path, kind: str) -> Path:
    """Return the path of the manifest of `kind` of a data directory."""
    return data_dir.absolute().parent / "manifests" / _file_name(data_dir, kind)


def _file_name(data_dir: Path, kind: str) -> str:
    return f"{data_dir.absolute().parent.name}_{kind}_{data_dir.name}.jsonl.gz"


def write_manifests(
    data_dir: Path, utterances: Iterable[Utterance], folder: Path | None = None
) -> None:
    """Write the recordings and supervisions of a data directory, line by line.

    Nothing is held in memory; of segments, the ids of their recordings.

    Args:
        utterances: the same at every iteration; read several times.
        folder: where to write, if not where `manifest_path` says.
    """
    folder = folder or manifest_path(data_dir, "recordings").parent
    recordings = _iterate_recordings(utterances)
    _write_manifest(RecordingSet, recordings, folder / _file_name(data_dir, "recordings"))
    supervisions = (_as_supervision(item) for item in utterances)
    _write_manifest(SupervisionSet, supervisions, folder / _file_name(data_dir, "supervisions"))
    (folder / _file_name(data_dir, "features")).unlink(missing_ok=True)


def _write_manifest(
    kind: type[RecordingSet] | type[SupervisionSet] | type[FeatureSet] | type[CutSet],
    items: Iterable[Recording | SupervisionSegment | Features | Cut],
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


def write_features(data_dir: Path, config: FeatureConfig) -> None:
    """Write a feature manifest that points into the arks of feats.scp.

    Lhotse reads those through kaldi_native_io. A data directory without manifests gets none.
    Lhotse checks that the duration fits the number of frames: where a front end does not count
    frames as Kaldi and Lhotse do, or resampling and the ends of a segment round the number of
    samples, the duration is that of the frames, up to a frame longer than the audio or a few
    shorter.
    """
    if not manifest_path(data_dir, "recordings").is_file():
        return
    num_frames, durations, entries = (
        MappedTable(data_dir / name) for name in ("utt2num_frames", "utt2dur", "wav.scp")
    )
    segments = MappedTable(data_dir / "segments") if (data_dir / "segments").is_file() else None

    def describe(key: str, entry: str) -> Features:
        recording = key
        start: float = 0
        if segments:
            segment = parse_segment(segments.path, key, segments[key])
            recording, start = segment.recording, segment.start
        return Features(
            type=TYPES[config.front_end],
            num_frames=int(num_frames[key]),
            num_features=config.num_bins,
            frame_shift=config.frame_shift_ms / 1000,
            sampling_rate=config.sampling_rate,
            start=start,
            duration=_duration(float(durations[key]), int(num_frames[key]), config),
            storage_type="kaldiio",  # Lhotse's name of its Kaldi reader
            storage_path=entry,
            storage_key=key,
            recording_id=recording,
            channels=channel_of_entry(entries[recording]),
        )

    features = (describe(key, entry) for key, entry in iterate_table(data_dir / "feats.scp"))
    _write_manifest(FeatureSet, features, manifest_path(data_dir, "features"))


def _duration(seconds: float, num_frames: int, config: FeatureConfig) -> float:
    """Return the duration of an utterance, or of its frames where Lhotse would count others."""
    shift = config.frame_shift_ms / 1000
    expected = compute_num_frames(seconds, shift, config.sampling_rate)
    return seconds if config.front_end == "kaldi" and expected == num_frames else num_frames * shift


def correct_manifests(data_dir: Path, lengths: Lengths) -> None:
    """Write decoded lengths into the recordings and supervisions of a data directory."""
    paths = [manifest_path(data_dir, kind) for kind in ("recordings", "supervisions")]
    if not (lengths.recordings or lengths.cut) or not all(path.is_file() for path in paths):
        return
    recordings = RecordingSet.from_jsonl_lazy(paths[0])
    _write_manifest(
        RecordingSet, (_correct_recording(item, lengths) for item in recordings), paths[0]
    )
    whole = not (data_dir / "segments").is_file()
    supervisions = SupervisionSet.from_jsonl_lazy(paths[1])
    corrected = (_correct_supervision(item, lengths, whole) for item in supervisions)
    _write_manifest(SupervisionSet, corrected, paths[1])


def _correct_recording(item: Recording, lengths: Lengths) -> Recording:
    if item.id not in lengths.recordings:
        return item
    count, rate = lengths.recordings[item.id]
    return fastcopy(item, num_samples=count, sampling_rate=rate, duration=count / rate)


def _correct_supervision(
    item: SupervisionSegment, lengths: Lengths, whole: bool
) -> SupervisionSegment:
    if item.id in lengths.cut:
        return fastcopy(item, duration=lengths.cut[item.id] - item.start)
    if whole and item.recording_id in lengths.recordings:
        count, rate = lengths.recordings[item.recording_id]
        return fastcopy(item, duration=count / rate)
    return item


def remove_from_manifests(data_dir: Path, unwanted: set[str]) -> None:
    """Drop utterances from the supervisions of a data directory, and recordings without any."""
    recordings, supervisions = (
        manifest_path(data_dir, kind) for kind in ("recordings", "supervisions")
    )
    if not (recordings.is_file() and supervisions.is_file()):
        return
    everything = SupervisionSet.from_jsonl_lazy(supervisions)
    named = {item.recording_id for item in everything if item.id not in unwanted}
    all_recordings = RecordingSet.from_jsonl_lazy(recordings)
    _write_manifest(RecordingSet, (item for item in all_recordings if item.id in named), recordings)
    kept = (item for item in everything if item.id not in unwanted)
    _write_manifest(SupervisionSet, kept, supervisions)
    cuts = manifest_path(data_dir, "cuts")  # of copies
    if cuts.is_file():
        left = (item for item in CutSet.from_jsonl_lazy(cuts) if item.id not in unwanted)
        _write_manifest(CutSet, left, cuts)
