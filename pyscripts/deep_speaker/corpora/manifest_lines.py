"""Lhotse manifests line by line: what stage 1 writes and corrects, without Lhotse.

They lie in `<corpus>/manifests/<corpus>_<kind>_<set>.jsonl.gz`, Lhotse's own naming, for the data
directory `<corpus>/<set>`, and share its utterance ids. A line is an item in JSON. To import
Lhotse, and torch with it, would take longer than the features of an hour of speech.
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from deep_speaker.config import Features
from deep_speaker.kaldi.data_dir import parse_segment
from deep_speaker.kaldi.lengths import Lengths
from deep_speaker.kaldi.mapped_tables import MappedTable
from deep_speaker.kaldi.tables import iterate_table
from deep_speaker.kaldi.wav_entries import channel_of_entry
from deep_speaker.system.files import replacing_path

# Front ends' names in feature manifests.
TYPES = {
    "kaldi": "kaldi-fbank",
    "torchaudio": "torchaudio-spectrogram",
    "python_speech_features": "python_speech_features-fbank",
    "speechbrain": "speechbrain-fbank",
}
Item = dict[str, Any]


def manifest_path(data_dir: Path, kind: str) -> Path:
    """Return the path of the manifest of `kind` of a data directory."""
    corpus = data_dir.absolute().parent
    return corpus / "manifests" / f"{corpus.name}_{kind}_{data_dir.name}.jsonl.gz"


def _read_lines(path: Path) -> Iterator[Item]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _write_lines(path: Path, items: Iterable[Item]) -> None:
    with (
        replacing_path(path, suffix=".jsonl.gz") as partial,
        gzip.open(partial, "wt", encoding="utf-8") as file,
    ):
        file.writelines(json.dumps(item, ensure_ascii=False) + "\n" for item in items)


def write_features(data_dir: Path, config: Features) -> None:
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

    def describe(key: str, entry: str) -> Item:
        recording = key
        start: float = 0
        if segments:
            segment = parse_segment(segments.path, key, segments[key])
            recording, start = segment.recording, segment.start
        return {
            "type": TYPES[config.front_end],
            "num_frames": int(num_frames[key]),
            "num_features": config.num_bins,
            "frame_shift": config.frame_shift_ms / 1000,
            "sampling_rate": config.sampling_rate,
            "start": start,
            "duration": _duration(float(durations[key]), int(num_frames[key]), config),
            "storage_type": "kaldiio",  # Lhotse's name of its Kaldi reader
            "storage_path": entry,
            "storage_key": key,
            "recording_id": recording,
            "channels": channel_of_entry(entries[recording]),
        }

    features = (describe(key, entry) for key, entry in iterate_table(data_dir / "feats.scp"))
    _write_lines(manifest_path(data_dir, "features"), features)


def _duration(seconds: float, num_frames: int, config: Features) -> float:
    """Return the duration of an utterance, or of its frames where Lhotse would count others."""
    shift = config.frame_shift_ms / 1000
    hop = round(shift * config.sampling_rate)
    expected = (round(seconds * config.sampling_rate) + hop // 2) // hop  # its compute_num_frames
    return seconds if config.front_end == "kaldi" and expected == num_frames else num_frames * shift


def correct_manifests(data_dir: Path, lengths: Lengths) -> None:
    """Write decoded lengths into the recordings and supervisions of a data directory."""
    paths = [manifest_path(data_dir, kind) for kind in ("recordings", "supervisions")]
    if not (lengths.recordings or lengths.cut) or not all(path.is_file() for path in paths):
        return
    _write_lines(paths[0], (_correct_recording(item, lengths) for item in _read_lines(paths[0])))
    whole = not (data_dir / "segments").is_file()
    _write_lines(
        paths[1], (_correct_supervision(item, lengths, whole) for item in _read_lines(paths[1]))
    )


def _correct_recording(item: Item, lengths: Lengths) -> Item:
    if item["id"] not in lengths.recordings:
        return item
    count, rate = lengths.recordings[item["id"]]
    return item | {"num_samples": count, "sampling_rate": rate, "duration": count / rate}


def _correct_supervision(item: Item, lengths: Lengths, whole: bool) -> Item:
    if item["id"] in lengths.cut:
        return item | {"duration": lengths.cut[item["id"]] - item["start"]}
    if whole and item["recording_id"] in lengths.recordings:
        count, rate = lengths.recordings[item["recording_id"]]
        return item | {"duration": count / rate}
    return item


def remove_from_manifests(data_dir: Path, unwanted: set[str]) -> None:
    """Drop utterances from the supervisions of a data directory, and recordings without any."""
    recordings, supervisions = (
        manifest_path(data_dir, kind) for kind in ("recordings", "supervisions")
    )
    if not (recordings.is_file() and supervisions.is_file()):
        return
    named = {
        item["recording_id"] for item in _read_lines(supervisions) if item["id"] not in unwanted
    }
    _write_lines(recordings, (item for item in _read_lines(recordings) if item["id"] in named))
    _write_lines(
        supervisions, (item for item in _read_lines(supervisions) if item["id"] not in unwanted)
    )
    cuts = manifest_path(data_dir, "cuts")  # of copies
    if cuts.is_file():
        _write_lines(cuts, (item for item in _read_lines(cuts) if item["id"] not in unwanted))
