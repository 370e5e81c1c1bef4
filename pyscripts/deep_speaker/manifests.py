"""Lhotse manifests beside the Kaldi tables: recordings, supervisions and stored features.

They lie in `<corpus>/manifests/<corpus>_<kind>_<set>.jsonl.gz`, Lhotse's own naming, for the data
directory `<corpus>/<set>`, and share its utterance ids.
"""

from collections.abc import Sequence
from pathlib import Path

from lhotse import (
    AudioSource,
    Features,
    FeatureSet,
    Recording,
    RecordingSet,
    SupervisionSegment,
    SupervisionSet,
)

from deep_speaker.config import Features as FeatureConfig
from deep_speaker.data_dir import Utterance, read_table

# Front ends' names in feature manifests.
TYPES = {"kaldi": "kaldi-fbank", "torchaudio": "torchaudio-spectrogram"}


def manifest_path(data_dir: Path, kind: str) -> Path:
    """Where the manifest of `kind` of a data directory lies."""
    corpus = data_dir.absolute().parent
    return corpus / "manifests" / f"{corpus.name}_{kind}_{data_dir.name}.jsonl.gz"


def write_manifests(data_dir: Path, utterances: Sequence[Utterance]) -> None:
    """Write the recordings and supervisions of a data directory."""
    manifest_path(data_dir, "recordings").parent.mkdir(parents=True, exist_ok=True)
    ordered = sorted(utterances, key=lambda utterance: utterance.id)
    recordings = RecordingSet.from_recordings(_recording(utterance) for utterance in ordered)
    supervisions = SupervisionSet.from_segments(_supervision(utterance) for utterance in ordered)
    _write(recordings, manifest_path(data_dir, "recordings"))
    _write(supervisions, manifest_path(data_dir, "supervisions"))
    manifest_path(data_dir, "features").unlink(missing_ok=True)


def _write(manifest: RecordingSet | SupervisionSet | FeatureSet, path: Path) -> None:
    partial = path.with_name(f"partial_{path.name}")  # Lhotse goes by the suffix
    try:
        manifest.to_file(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _recording(utterance: Utterance) -> Recording:
    channels = list(range(utterance.info.num_channels))
    return Recording(
        id=utterance.id,
        sources=[AudioSource("file", channels, str(utterance.path.absolute()))],
        sampling_rate=utterance.info.sampling_rate,
        num_samples=utterance.info.num_samples,
        duration=utterance.info.duration,
        channel_ids=channels,
    )


def _supervision(utterance: Utterance) -> SupervisionSegment:
    return SupervisionSegment(
        id=utterance.id,
        recording_id=utterance.id,
        start=0,
        duration=utterance.info.duration,
        channel=0,
        text=utterance.text,
        speaker=utterance.speaker,
        gender=utterance.sex,
    )


def read_texts(data_dir: Path) -> dict[str, str | None]:
    """What is said in the utterances of a data directory; empty where it has no manifests."""
    path = manifest_path(data_dir, "supervisions")
    if not path.is_file():
        return {}
    return {segment.id: segment.text for segment in SupervisionSet.from_file(path)}


def write_features(data_dir: Path, config: FeatureConfig) -> None:
    """Write a feature manifest that points into the arks of feats.scp.

    Lhotse reads them through kaldi_native_io. A data directory without manifests gets none. Their
    duration is that of the frames, by up to a frame longer than the audio or a few shorter, where
    a front end does not count frames as Lhotse (and Kaldi) does: Lhotse checks that they agree.
    """
    if not manifest_path(data_dir, "recordings").is_file():
        return
    num_frames = read_table(data_dir / "utt2num_frames")
    durations = read_table(data_dir / "utt2dur")
    feature_set = FeatureSet.from_features(
        Features(
            type=TYPES[config.front_end],
            num_frames=int(num_frames[key]),
            num_features=config.num_bins,
            frame_shift=config.frame_shift_ms / 1000,
            sampling_rate=config.sampling_rate,
            start=0,
            duration=(
                float(durations[key])
                if config.front_end == "kaldi"
                else int(num_frames[key]) * config.frame_shift_ms / 1000
            ),
            storage_type="kaldiio",  # Lhotse's name of its Kaldi reader
            storage_path=entry,
            storage_key=key,
            recording_id=key,
            channels=0,
        )
        for key, entry in read_table(data_dir / "feats.scp").items()
    )
    _write(feature_set, manifest_path(data_dir, "features"))


def remove_utterances(data_dir: Path, unwanted: set[str]) -> None:
    """Drop utterances from the recordings and supervisions of a data directory."""
    for kind, manifest in (("recordings", RecordingSet), ("supervisions", SupervisionSet)):
        path = manifest_path(data_dir, kind)
        if path.is_file():
            kept = [item for item in manifest.from_file(path) if item.id not in unwanted]
            _write(manifest.from_items(kept), path)
