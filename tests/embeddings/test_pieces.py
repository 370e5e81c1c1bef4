"""Crops of samples: where they lie, what the front end sees of them, and from which audio."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from deep_speaker.config import Experiment, Extraction
from deep_speaker.embeddings.pieces import (
    PieceReader,
    analyse_crops,
    crop_samples,
    cut_samples,
    fewest_crop_frames,
)
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.features.samples import SampleSource
from deep_speaker.features.source import FeatureSource
from deep_speaker.kaldi.audio import read_info
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.tables import read_table, write_table
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.training.setup import check_sizes
from support.published_front_end import load_crops
from support.speech import make_speech, write_audio
from support.tiny_data import make_experiment

KALDI: dict[str, Any] = {"front_end": "kaldi"}
FAST = {"front_end": "torchaudio"}
THIN = FAST | {"num_mels": None, "power": 1, "centred": False, "log": False, "compression": "none"}


def by_samples(features: dict[str, Any] = FAST, crop_frames: int = 20) -> Experiment:
    return make_experiment(
        features={"num_mels": 40, "compression": "none"} | features,
        voice_activity={"energy_threshold": -1000, "energy_mean_scale": 0},
        normalisation={"mean": "chunk", "scale": "chunk"},
        extraction={"method": "sample_crops", "num_crops": 3, "crop_frames": crop_frames},
        pretraining=make_experiment().first_phase.model_dump() | {"augmentation": {}},
        finetuning=None,
    )


def test_crops_are_evenly_spaced_from_the_first_to_the_last_sample() -> None:
    samples = np.arange(1000, dtype=np.float32)
    crops = cut_samples(samples, 100, Extraction(num_crops=4))
    assert [crop[0] for crop in crops] == [0, 300, 600, 900]
    assert all(np.array_equal(crop, crop[0] + np.arange(100)) for crop in crops)


def test_a_short_utterance_is_repeated_to_a_sample_more_than_a_crop() -> None:
    crops = cut_samples(np.array([1, 2, 3]), 7, Extraction(num_crops=3))
    assert [crop.tolist() for crop in crops] == [
        [1, 2, 3, 1, 2, 3, 1], [1, 2, 3, 1, 2, 3, 1], [2, 3, 1, 2, 3, 1, 2]
    ]  # fmt: skip


def test_a_short_utterance_lies_between_zeros() -> None:
    options = Extraction(num_crops=2, short_utterances="zeros")
    first, last = cut_samples(np.array([1, 2, 3]), 7, options)
    assert first.tolist() == last.tolist() == [0, 0, 1, 2, 3, 0, 0]
    first, last = cut_samples(np.array([1, 2]), 7, options)  # an odd number is lacking
    assert first.tolist() == [0, 0, 0, 1, 2, 0, 0]
    assert last.tolist() == [0, 0, 1, 2, 0, 0, 0]


@pytest.mark.parametrize("short", ["repeat", "zeros"])
@pytest.mark.parametrize("length", [1, 900, 8239, 16238, 16239, 16240, 16241, 16500, 40000])
def test_crops_are_those_of_voxceleb_trainer(short: str, length: int) -> None:
    samples = np.random.default_rng(length).normal(0, 1, length).astype(np.float32)
    options = Extraction.model_validate({"short_utterances": short})
    crops = cut_samples(samples, 100 * 160 + 240, options)
    assert np.array_equal(np.stack(crops), load_crops(samples, 100, 10, short).numpy())


@pytest.mark.parametrize(("features", "frames"), [(KALDI, 302), (FAST, 302), (THIN, 299)])
def test_a_crop_s_samples_are_those_that_its_frames_lie_on(
    features: dict[str, Any], frames: int
) -> None:
    """300 x 160 + 240 of them, as in the source; its networks have 302 and 299 frames of those."""
    experiment = by_samples(features, crop_frames=300)
    assert crop_samples(experiment) == 300 * 160 + 240
    crops = analyse_crops(make_speech(0, 4) * 32768, experiment)
    assert [len(crop) for crop in crops] == [frames] * 3
    assert fewest_crop_frames(experiment) == min(300, frames)


def test_a_crop_too_short_for_the_network_is_refused() -> None:
    """By the frames that it makes: 7 where an FFT has to fit into its samples."""
    check_sizes(by_samples(KALDI, crop_frames=8), "pretraining", 8)
    with pytest.raises(ValueError, match=r"^extraction\.crop_frames makes inputs of 7 frames: "):
        check_sizes(by_samples(THIN, crop_frames=8), "pretraining", 8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data directory of two segments of a recording, and a recording by a command."""
    path = write_audio(tmp_path / "a.flac", make_speech(1, 2))
    info = read_info(path)
    utterances = [
        Utterance(f"s-{i}", "s", str(path), info, segment=Segment("s-long", 0.5 * i, 0.5 * i + 1))
        for i in range(2)
    ]
    other = write_audio(tmp_path / "b.wav", make_speech(2, 1))
    utterances.append(Utterance("t-0", "t", f"cat {other} |", read_info(other)))
    write_data_dir(tmp_path / "data", utterances)
    return tmp_path / "data"


def test_crops_are_cut_from_the_samples_that_stage_1_reads(folder: Path) -> None:
    experiment = by_samples()
    compute_data_dir(folder, experiment, 1)
    reader = PieceReader(FeatureSource(folder, experiment), experiment)
    first, second = (
        soundfile.read(folder.parent / name, dtype="int16")[0] for name in ("a.flac", "b.wav")
    )
    for key, samples in {"s-0": first[:16000], "s-1": first[8000:24000], "t-0": second}.items():
        expected = analyse_crops(samples.astype(np.float32), experiment)
        assert np.array_equal(np.stack(list(reader.read(key))), np.stack(expected))
    # The last frame of a crop reflects its own samples; that of stage 1 sees those that follow.
    crop = next(reader.read("s-1"))
    stored = reader.source.read(reader.source.whole("s-1"))[: len(crop)]
    assert crop[:-2] == pytest.approx(stored[:-2], abs=1e-3)
    assert np.abs(crop[-1] - stored[-1]).max() > 0.5


def test_the_command_of_a_recording_runs_once_for_segments_that_follow_one_another(
    folder: Path, tmp_path: Path
) -> None:
    for name in ("s-long", "t-0"):
        note_runs(folder, name, tmp_path / "runs")
    source = SampleSource(folder, 16000)
    wanted = {key: SampleSource(folder, 16000).read(key) for key in ("s-0", "s-1", "t-0")}
    (tmp_path / "runs").unlink()
    for key in ("s-1", "s-0", "s-1", "t-0", "s-0"):
        assert np.array_equal(source.read(key), wanted[key])
    assert (tmp_path / "runs").read_text().split() == ["s-long", "t-0", "s-long"]


def test_samples_are_read_recording_by_recording(folder: Path) -> None:
    """Not by length: the second segment is the shortest utterance, the command's between them."""
    table = read_table(folder / "segments")
    table["s-1"] = "s-long 1.2 1.8"
    write_table(folder / "segments", {"s-0": table["s-0"], "s-1": table["s-1"], "t-0": "t-0 0 0.8"})
    experiment = by_samples()
    compute_data_dir(folder, experiment, 1)
    source = FeatureSource(folder, experiment)
    assert sorted(source.utt2spk, key=source.num_voiced) == ["s-1", "t-0", "s-0"]
    reader = PieceReader(source, experiment)
    assert reader.in_order(["t-0", "s-1", "s-0"]) == ["s-0", "s-1", "t-0"]


def note_runs(folder: Path, name: str, runs: Path) -> None:
    """Make the entry of a recording a command that notes that it is run."""
    entries = read_table(folder / "wav.scp")
    command = entries[name] if entries[name].endswith("|") else f"cat {entries[name]} |"
    write_table(folder / "wav.scp", entries | {name: f"echo {name} >> {runs}; {command}"})


def test_audio_that_is_gone_is_named(folder: Path) -> None:
    experiment = by_samples()
    compute_data_dir(folder, experiment, 1)
    (folder.parent / "a.flac").unlink()
    reader = PieceReader(FeatureSource(folder, experiment), experiment)
    with pytest.raises(ValueError, match=r"/data/wav\.scp: 's-1': .*extraction\.method to crops"):
        list(reader.read("s-1"))
