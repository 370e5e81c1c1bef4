"""From arks to normalised voiced frames: against a direct computation, and the refusals."""

import weakref
from pathlib import Path

import kaldiio
import numpy as np
import pytest

from deep_speaker.config import Normalisation
from deep_speaker.features.normalisation import normalise
from deep_speaker.features.source import (
    FeatureSource,
    Section,
    fit_length,
    split_section,
)
from deep_speaker.kaldi.archives import ArchiveWriter, write_scp
from deep_speaker.kaldi.tables import read_table, write_table
from support.tiny_data import MELS, make_experiment, make_frames, write_features

FRAMES = make_frames(num_speakers=3, num_utterances=2)
VOICED = {key: np.random.default_rng(7).random(len(frames)) < 0.7 for key, frames in FRAMES.items()}


def test_a_source_that_nobody_holds_is_gone_with_its_files(tmp_path: Path) -> None:
    experiment = make_experiment()
    source = FeatureSource(write_features(tmp_path / "d", FRAMES, experiment, VOICED), experiment)
    sections = [Section(key, 1, 7) for key in FRAMES]
    chunks = source.read_chunks(sections, 6)
    assert np.array_equal(source.read_chunks(sections, 6), chunks)
    assert np.array_equal(np.stack([source.read(section) for section in sections]), chunks)
    gone = weakref.ref(source)
    del source
    assert gone() is None


def lengths(sections: list[Section]) -> list[int]:
    return [section.num_frames for section in sections]


@pytest.mark.parametrize("compression", ["none", "two_byte"])
@pytest.mark.parametrize(
    ("mean", "scale"), [("utterance", "utterance"), ("utterance", 3), ("none", 2)]
)
def test_voiced_frames_equal_a_direct_computation_from_the_arks(
    compression: str, mean: str, scale: float | str, tmp_path: Path
) -> None:
    experiment = make_experiment(
        features={"compression": compression}, normalisation={"mean": mean, "scale": scale}
    )
    source = FeatureSource(write_features(tmp_path / "d", FRAMES, experiment, VOICED), experiment)
    stored = kaldiio.load_scp(str(tmp_path / "d/feats.scp"))
    decisions = kaldiio.load_scp(str(tmp_path / "d/vad.scp"))
    for key in FRAMES:
        voiced = stored[key][decisions[key] == 1].astype(np.float64)
        expected = voiced - voiced.mean(axis=0) if mean == "utterance" else voiced
        expected = expected / (voiced.std(axis=0) if scale == "utterance" else float(scale))
        found = source.read(source.whole(key))
        assert found.dtype == np.float32
        # The sums are of the frames before compression to 16 bits.
        assert np.abs(found - expected).max() < (1e-5 if compression == "none" else 2e-3)
        part = Section(key, 5, 17)
        assert np.array_equal(source.read(part), found[5:17])
        assert source.read_stored(part) == pytest.approx(voiced[5:17], abs=1e-5)


@pytest.mark.parametrize("compression", ["none", "two_byte"])
def test_frames_that_the_network_normalises_are_those_stored(
    compression: str, tmp_path: Path
) -> None:
    experiment = make_experiment(
        features={"compression": compression}, normalisation={"mean": "chunk", "scale": "chunk"}
    )
    source = FeatureSource(write_features(tmp_path / "d", FRAMES, experiment, VOICED), experiment)
    stored = kaldiio.load_scp(str(tmp_path / "d/feats.scp"))
    for key in FRAMES:
        found = source.read(source.whole(key))
        assert found.dtype == np.float32
        assert found == pytest.approx(stored[key][VOICED[key]], abs=1e-5)
        assert np.array_equal(source.read(Section(key, 5, 17)), found[5:17])


@pytest.mark.parametrize("mean", ["utterance", "chunk"])
def test_double_features_of_another_program_become_the_same_float32(
    mean: str, tmp_path: Path
) -> None:
    scale = 3 if mean == "utterance" else "chunk"
    experiment = make_experiment(normalisation={"mean": mean, "scale": scale})
    folder = write_features(tmp_path / "d", FRAMES, experiment, VOICED)
    before = FeatureSource(folder, experiment)
    with ArchiveWriter(folder / "double.ark") as writer:
        for key, frames in FRAMES.items():
            writer.write(key, frames.astype(np.float64))
    expected = {key: before.read(before.whole(key)) for key in FRAMES}
    write_scp(folder / "feats.scp", writer.scp)
    source = FeatureSource(folder, experiment)
    for key in FRAMES:
        found = source.read(source.whole(key))
        assert found.dtype == np.float32
        assert np.array_equal(found, expected[key])


def test_a_bin_that_hardly_varies_is_not_blown_up() -> None:
    frames = np.array([[0.0, 5.0], [2.0, 5.001]], np.float32)
    mean, deviation = frames.mean(axis=0), frames.std(axis=0)
    found = normalise(frames, mean, deviation, Normalisation(scale="utterance"))
    assert found[:, 0].tolist() == [-1, 1]
    assert found[:, 1] == pytest.approx([-0.05, 0.05], abs=1e-4)  # 0.0005 / 0.01


def test_several_utterances_are_compared_whole_and_at_most_as_many_as_asked(
    tmp_path: Path,
) -> None:
    experiment = make_experiment()
    source = FeatureSource(write_features(tmp_path / "d", FRAMES, experiment, VOICED), experiment)
    found = source.sections_by_speaker(["s02", "s00"], 10)
    assert list(found) == ["s02", "s00"]
    assert found["s00"] == [
        Section("s00-0", 0, VOICED["s00-0"].sum()),
        Section("s00-1", 0, VOICED["s00-1"].sum()),
    ]


@pytest.mark.parametrize(
    ("num_frames", "max_sections", "expected"),
    [
        (100, None, [25, 25, 25, 25]),
        (100, 3, [33, 33, 34]),
        (59, None, [29, 30]),
        (30, None, [15, 15]),  # shorter than two parts of 25: two halves
        (1, None, [1]),
    ],
)
def test_a_single_utterance_is_cut_into_disjoint_parts(
    num_frames: int, max_sections: int | None, expected: list[int], tmp_path: Path
) -> None:
    experiment = make_experiment()
    frames = {"s0-0": np.zeros((num_frames, MELS), np.float32)}
    source = FeatureSource(write_features(tmp_path / "d", frames, experiment), experiment)
    parts = source.sections_by_speaker(["s0"], 25, max_sections)["s0"]
    assert lengths(parts) == expected
    assert [part.start for part in parts] == [0, *np.cumsum(expected)[:-1]]
    assert {part.utterance for part in parts} == {"s0-0"}


def test_the_only_utterance_is_cut_into_parts_whatever_copies_it_has(tmp_path: Path) -> None:
    experiment = make_experiment()
    frames = {key: np.zeros((50, MELS), np.float32) for key in ("s0-0", "s0-0-babble")}
    folder = write_features(tmp_path / "d", frames, experiment)
    write_table(folder / "utt2uniq", {"s0-0": "s0-0", "s0-0-babble": "s0-0"})
    source = FeatureSource(folder, experiment)
    assert source.with_copies == {"s0-0": ["s0-0", "s0-0-babble"]}
    assert source.sections_by_speaker(["s0"], 25)["s0"] == [
        Section("s0-0", 0, 25),
        Section("s0-0", 25, 50),
    ]


def test_copies_of_an_utterance_are_as_long_and_of_its_speaker(tmp_path: Path) -> None:
    experiment = make_experiment()
    lengths = {"s0-0": 50, "s0-0-noise": 50, "s0-0-reverb": 49, "s0-1": 50, "sp0.9-s0-0": 50}
    frames = {key: np.zeros((length, MELS), np.float32) for key, length in lengths.items()}
    folder = write_features(tmp_path / "d", frames, experiment)
    write_table(folder / "utt2spk", dict.fromkeys(lengths, "s0") | {"sp0.9-s0-0": "sp0.9-s0"})
    originals = {"s0-0-noise": "s0-0", "s0-0-reverb": "s0-0", "sp0.9-s0-0": "s0-0"}
    write_table(folder / "utt2uniq", {key: originals.get(key, key) for key in lengths})
    assert FeatureSource(folder, experiment).with_copies == {
        "s0-0": ["s0-0", "s0-0-noise"],
        "s0-1": ["s0-1"],
        "sp0.9-s0-0": ["sp0.9-s0-0"],
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"features": {"low_freq": 40}},
        {"features": {"num_mels": MELS + 1}},
        {"voice_activity": {"energy_threshold": 9.5}},
        {"features": {"front_end": "torchaudio"}},
    ],
)
def test_features_of_another_config_are_refused(
    changed: dict[str, dict[str, float]], tmp_path: Path
) -> None:
    write_features(tmp_path / "d", FRAMES, make_experiment())
    with pytest.raises(ValueError, match=r"/conf/\w+\.conf .*stage 1"):
        FeatureSource(tmp_path / "d", make_experiment(**changed))


def test_features_without_their_options_are_refused(tmp_path: Path) -> None:
    folder = write_features(tmp_path / "d", FRAMES, make_experiment())
    (folder / "conf/fbank.conf").unlink()
    with pytest.raises(ValueError, match=r"/conf/fbank\.conf .*stage 1"):
        FeatureSource(folder, make_experiment())


@pytest.mark.parametrize("table", ["feats.scp", "vad.scp", "utt_cmvn.scp"])
def test_an_utterance_without_features_is_named(table: str, tmp_path: Path) -> None:
    folder = write_features(tmp_path / "d", FRAMES, make_experiment())
    entries = read_table(folder / table)
    del entries["s01-1"]
    write_table(folder / table, entries)
    with pytest.raises(ValueError, match=f"/{table}: 1 .*'s01-1'$"):
        FeatureSource(folder, make_experiment())


def test_split_section_leaves_no_frame_out_and_no_part_empty() -> None:
    assert split_section(Section("u", 10, 20), 3) == [
        Section("u", 10, 13),
        Section("u", 13, 16),
        Section("u", 16, 20),
    ]
    rng = np.random.default_rng(0)
    for _ in range(200):
        start, num_frames, count = rng.integers([0, 1, 1], [50, 40, 60]).tolist()
        parts = split_section(Section("u", start, start + num_frames), count)
        assert len(parts) == min(count, num_frames)
        edges = [start, *(part.stop for part in parts)]
        assert [part.start for part in parts] == edges[:-1]
        assert edges[-1] == start + num_frames
        assert max(lengths(parts)) - min(lengths(parts)) <= 1
        assert min(lengths(parts)) >= 1


def test_short_frames_are_repeated_from_their_beginning(tmp_path: Path) -> None:
    frames = np.arange(6).reshape(3, 2)
    assert fit_length(frames, 7)[:, 0].tolist() == [0, 2, 4, 0, 2, 4, 0]
    assert fit_length(frames, 2)[:, 0].tolist() == [0, 2]
    assert np.array_equal(fit_length(frames, 3), frames)

    source = FeatureSource(
        write_features(tmp_path / "d", FRAMES, make_experiment()), make_experiment()
    )
    sections = [Section("s00-0", 3, 13), Section("s02-1", 20, 24)]
    chunks = source.read_chunks(sections, 10)
    assert (chunks.shape, chunks.dtype) == ((2, 10, MELS), np.float32)
    assert np.array_equal(chunks[0], source.read(sections[0]))
    assert np.array_equal(chunks[1], np.tile(source.read(sections[1]), (3, 1))[:10])
