"""A training set and its copies as one: tables, voice activity, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import join_data_dirs as command
from deep_speaker.config import Experiment
from deep_speaker.copies.joining import (
    adopt_voice_activity,
    check_joined,
    join_data_dirs,
    make_record,
    write_record,
)
from deep_speaker.features.normalisation import cmvn_sums
from deep_speaker.features.source import FeatureSource
from deep_speaker.kaldi.archives import ArchiveTable
from deep_speaker.kaldi.tables import read_table, write_table
from support.kaldi_checks import validate
from support.tiny_data import make_experiment, make_frames, write_features

FRAMES = make_frames(num_speakers=3, num_utterances=2)
VOICED = {key: np.random.default_rng(7).random(len(rows)) < 0.7 for key, rows in FRAMES.items()}
OPTIONS: dict[str, Any] = {"speeds": [0.9]}
EXPERIMENT = make_experiment(augmented_copies=OPTIONS)


def add_tables(folder: Path, utterances: list[str]) -> None:
    (folder / "frame_shift").write_text("0.01\n")
    (folder / "fbank").mkdir()
    for name, value in (("wav.scp", "/x.wav"), ("utt2dur", "0.8"), ("reco2dur", "0.8")):
        write_table(folder / name, dict.fromkeys(utterances, value))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three speakers with two utterances, and of each one a noisy and a slow copy."""
    train = write_features(tmp_path / "train", FRAMES, EXPERIMENT, VOICED)
    add_tables(train, list(FRAMES))
    rng = np.random.default_rng(0)
    frames = {}
    for key, rows in FRAMES.items():
        frames[f"{key}-noise"] = rows + rng.random(rows.shape, dtype=np.float32)
        frames[f"sp0.9-{key}"] = np.repeat(rows, 2, axis=0)[: len(rows) * 10 // 9]
    copies = write_features(tmp_path / "train_copies", frames, EXPERIMENT)
    speakers = {key: key[:9] if key.startswith("sp") else key[:3] for key in frames}
    speakers = {key: value.rstrip("-") for key, value in speakers.items()}
    add_tables(copies, list(frames))
    write_table(copies / "utt2spk", speakers)
    lines: dict[str, list[str]] = {}
    for key in sorted(speakers):
        lines.setdefault(speakers[key], []).append(key)
    write_table(copies / "spk2utt", {name: " ".join(keys) for name, keys in lines.items()})
    originals = {key: key.removeprefix("sp0.9-").removesuffix("-noise") for key in frames}
    write_table(copies / "utt2uniq", originals)
    write_record(copies, make_record(EXPERIMENT))
    return train, copies


def join(folders: tuple[Path, Path]) -> Path:
    output = folders[0].with_name("train_augmented")
    join_data_dirs(output, *folders)
    return output


def test_copies_as_long_as_their_originals_get_their_voice_activity(
    folders: tuple[Path, Path],
) -> None:
    train, copies = folders
    adopt_voice_activity(copies, train, 2)
    vad, cmvn, feats = (
        ArchiveTable(copies / name) for name in ("vad.scp", "utt_cmvn.scp", "feats.scp")
    )
    for key, original in read_table(copies / "utt2uniq").items():
        expected = VOICED[original] if key.endswith("-noise") else np.ones(len(feats.rows(key)))
        assert np.array_equal(vad.rows(key), expected)
        sums = cmvn_sums(feats.rows(key)[expected > 0])
        assert cmvn.rows(key) == pytest.approx(sums, rel=1e-5)
    before = (copies / "vad.scp").read_bytes()
    adopt_voice_activity(copies, train, 1)  # again: the same
    assert (copies / "vad.scp").read_bytes() == before


def test_tables_are_those_of_both(folders: tuple[Path, Path]) -> None:
    joined = join(folders)
    assert validate(joined) == "valid"
    for name in ("wav.scp", "utt2spk", "feats.scp", "vad.scp", "utt_cmvn.scp", "utt2num_frames"):
        expected = {**read_table(folders[0] / name), **read_table(folders[1] / name)}
        assert read_table(joined / name) == expected
    assert read_table(joined / "utt2uniq") == {key: key for key in FRAMES} | read_table(
        folders[1] / "utt2uniq"
    )
    spk2utt = read_table(joined / "spk2utt")
    assert spk2utt["s00"] == "s00-0 s00-0-noise s00-1 s00-1-noise"
    assert spk2utt["sp0.9-s01"] == "sp0.9-s01-0 sp0.9-s01-1"
    assert (joined / "frame_shift").read_text() == "0.01\n"
    source = FeatureSource(joined, EXPERIMENT)
    assert len(source.utt2spk) == 18
    noisy = {key: [key, f"{key}-noise"] for key in FRAMES}
    assert source.with_copies == noisy | {f"sp0.9-{key}": [f"sp0.9-{key}"] for key in FRAMES}
    assert len(source.read(source.whole("s00-0-noise"))) == len(FRAMES["s00-0"])
    check_joined(joined, EXPERIMENT)


def test_segments_and_sexes(folders: tuple[Path, Path]) -> None:
    train, copies = folders
    write_table(train / "segments", {key: f"tape {i} {i + 1}" for i, key in enumerate(FRAMES)})
    write_table(train / "wav.scp", {"tape": "/tape.wav"})
    write_table(train / "reco2dur", {"tape": "9"})
    write_table(train / "spk2gender", dict.fromkeys(("s00", "s01", "s02"), "f"))
    speakers = sorted(set(read_table(copies / "utt2spk").values()))
    write_table(copies / "spk2gender", dict.fromkeys(speakers, "f"))
    write_table(train / "text", dict.fromkeys(FRAMES, "words"))  # not in the other: left out
    joined = join(folders)
    assert validate(joined) == "valid"
    segments = read_table(joined / "segments")
    assert segments["s00-1"] == "tape 1 2"
    assert segments["s00-1-noise"] == "s00-1-noise 0 0.8"
    assert read_table(joined / "spk2gender") == dict.fromkeys(
        ("s00", "s01", "s02", "sp0.9-s00", "sp0.9-s01", "sp0.9-s02"), "f"
    )
    assert not (joined / "text").exists()


def test_an_id_in_both_is_refused_and_the_former_directory_stays(
    folders: tuple[Path, Path],
) -> None:
    joined = join(folders)
    before = sorted(path.name for path in joined.iterdir())
    utterances = read_table(folders[1] / "utt2spk")
    write_table(folders[1] / "utt2spk", utterances | {"s00-0": "s00x"})
    with pytest.raises(ValueError, match="/utt2spk, line 2: 's00-0' "):
        join(folders)
    assert sorted(path.name for path in joined.iterdir()) == before


@pytest.mark.parametrize(
    "experiment",
    [
        make_experiment(augmented_copies=None),
        make_experiment(augmented_copies=OPTIONS | {"noise_snrs_db": [3]}),
        make_experiment(augmented_copies=OPTIONS, seed=1),
    ],
)
def test_other_copies_than_the_configs_are_refused(
    experiment: Experiment, folders: tuple[Path, Path]
) -> None:
    with pytest.raises(ValueError, match=r"/train_augmented .*augmented_copies .*seed .*stage 1"):
        check_joined(join(folders), experiment)


def test_features_made_anew_are_refused_until_joined_anew(folders: tuple[Path, Path]) -> None:
    joined = join(folders)
    for folder in folders:
        feats = (folder / "feats.scp").read_text()
        (folder / "feats.scp").write_text(feats.replace(":", ":1"))
        with pytest.raises(ValueError, match=f"^{folder} .*{joined} .*stage 1"):
            check_joined(joined, EXPERIMENT)
        (folder / "feats.scp").write_text(feats)
        check_joined(joined, EXPERIMENT)
    (folders[0] / "feats.scp").unlink()  # as stage 0 leaves it
    with pytest.raises(ValueError, match=r"/feats\.scp .*stage 1"):
        check_joined(joined, EXPERIMENT)


def test_without_copies_nothing_is_asked_for_and_with_them_a_joined_directory(
    folders: tuple[Path, Path],
) -> None:
    check_joined(folders[0], make_experiment())
    with pytest.raises(ValueError, match=r"/augmented_copies\.json .*stage 1"):
        check_joined(folders[0], EXPERIMENT)


def test_command(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    output = folders[0].with_name("both")
    words = ["join_data_dirs.py", "--nj", "1", *map(str, folders), str(output)]
    monkeypatch.setattr("sys.argv", words)
    command.main()
    check_joined(output, EXPERIMENT)
    assert np.array_equal(ArchiveTable(output / "vad.scp").rows("s01-1-noise"), VOICED["s01-1"])
