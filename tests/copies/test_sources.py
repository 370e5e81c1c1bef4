"""Where noise, music, babble and rooms come from: layouts of folders, and what is said of them."""

import logging
from pathlib import Path

import pytest

from deep_speaker.copies.sources import Sources, find_sources, generator_of
from deep_speaker.kaldi.data_dir import write_data_dir
from deep_speaker.kaldi.wav_entries import file_of_entry
from support.speech import RATE, make_speech, make_utterances, write_audio

KINDS = ("reverberation", "noise", "music", "babble")


@pytest.fixture
def train(tmp_path: Path) -> Path:
    write_data_dir(tmp_path / "train", make_utterances(tmp_path / "audio", "spk", 3, 2))
    return tmp_path / "train"


def write_files(folder: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        write_audio(folder / name, make_speech(i, 0.2))
    return folder


def find(
    train: Path,
    noise_dir: Path | None = None,
    rir_dir: Path | None = None,
    kinds: tuple[str, ...] = KINDS,
    seed: int = 0,
) -> Sources:
    simulated = train.with_name(f"simulated{len(list(train.parent.glob('simulated*')))}")
    return find_sources(kinds, (noise_dir, rir_dir), train, simulated, RATE, seed, 1)


def names(utterances: object) -> list[str]:
    assert isinstance(utterances, list)
    files = [file_of_entry(item.entry) for item in utterances]
    return [path.name for path in files if path]


def test_missing_sources_are_simulated_and_logged(
    train: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    found = find(train)
    assert len(found.noise) == len(found.reverberation) == 6  # as many as there are utterances
    assert not found.has("music")
    assert {key: len(items) for key, items in found.babble.items()} == dict.fromkeys(
        ("spk0", "spk1", "spk2"), 2
    )
    parts = {"noise": "--noise-dir", "music": "music/", "babble": "3", "rooms": "--rir-dir"}
    for message, (kind, part) in zip(caplog.messages, parts.items(), strict=True):
        assert message.startswith(f"{kind}: ")
        assert part in message


def test_musan_has_a_folder_for_each_kind(train: Path, tmp_path: Path) -> None:
    musan = write_files(
        tmp_path / "musan",
        "noise/free-sound/n0.wav", "noise/sound-bible/n1.wav", "music/fma/m0.wav",
        "speech/us-gov/s0.wav", "speech/us-gov/s1.wav",
    )  # fmt: skip
    (musan / "noise/free-sound/LICENSE").write_text("text")
    found = find(train, musan, kinds=("noise", "music", "babble"))
    assert names(found.noise) == ["n0.wav", "n1.wav"]
    assert names(found.music) == ["m0.wav"]
    assert [len(items) for items in found.babble.values()] == [1, 1]  # each a speaker by itself
    assert not found.reverberation


def test_of_musan_only_what_is_wanted_is_read(train: Path, tmp_path: Path) -> None:
    musan = write_files(tmp_path / "musan", "noise/n0.wav")
    (musan / "music").mkdir()  # empty
    assert names(find(train, musan, kinds=("noise",)).noise) == ["n0.wav"]
    with pytest.raises(ValueError, match=r"^--noise-dir .*/music: "):
        find(train, musan, kinds=("noise", "music"))


def test_any_other_folder_is_noise_and_speakers_of_the_set_are_babble(
    train: Path, tmp_path: Path
) -> None:
    folder = write_files(tmp_path / "street", "a.wav", "deep/er/b.flac")
    write_audio(folder / "click.wav", make_speech(0, 0.05))  # too short to be of use
    found = find(train, folder, kinds=("noise", "babble", "music"))
    assert [Path(item.id).name for item in found.noise] == ["a.wav", "b.flac"]
    assert not found.music
    assert set(found.babble) == {"spk0", "spk1", "spk2"}


@pytest.mark.parametrize("base", ["", "simulated_rirs", "RIRS_NOISES/simulated_rirs"])
def test_of_rirs_noises_the_small_and_medium_rooms(base: str, train: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rirs"
    rooms = [f"{base}/{size}room/Room001/{size}.wav" for size in ("small", "medium", "large")]
    write_files(folder, *(name.lstrip("/") for name in rooms), "pointsource_noises/noise.wav")
    found = find(train, None, folder, kinds=("reverberation",))
    assert names(found.reverberation) == ["small.wav", "medium.wav"]


def test_any_other_folder_of_rooms_is_taken_whole(train: Path, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "rirs", "hall/1.wav", "2.wav")
    found = find(train, None, folder, kinds=("reverberation",))
    assert names(found.reverberation) == ["2.wav", "1.wav"]


@pytest.mark.parametrize("kind", ["noise", "reverberation"])
def test_folders_are_walked_as_those_of_corpora(
    kind: str, train: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Links are followed, but not around; a Mac's files are none; upper case is read."""
    folder = write_files(tmp_path / "sounds", "a.WAV", "b.au")
    elsewhere = write_files(tmp_path / "disk2", "c.flac")
    (folder / "linked").symlink_to(elsewhere)
    (folder / "self").symlink_to(folder)
    (folder / "._a.WAV").write_bytes(b"\0\5\26\7 a Mac's")
    (folder / "gone.wav").symlink_to(tmp_path / "nowhere")
    (folder / "d.wma").write_bytes(b"0")
    found = find(train, folder, folder, kinds=(kind,))
    assert names(getattr(found, kind)) == ["a.WAV", "b.au", "c.flac"]
    assert f"{folder}/gone.wav: a link to nothing" in caplog.text
    assert ".wma is not read" in caplog.text


def test_missing_and_empty_folders_are_refused(train: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"^--noise-dir .*/nowhere: "):
        find(train, tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"^--noise-dir .*/empty: "):
        find(train, tmp_path / "empty")
    with pytest.raises(ValueError, match=r"^--rir-dir .*/empty: "):
        find(train, None, tmp_path / "empty")
    (tmp_path / "part" / "music").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"^--noise-dir .*/part: .*music/.*noise/"):
        find(train, tmp_path / "part")


def test_babble_needs_a_second_speaker(tmp_path: Path) -> None:
    write_data_dir(tmp_path / "train", make_utterances(tmp_path / "audio", "spk", 1, 3))
    with pytest.raises(ValueError, match=r"/train: .*augmented_copies\.kinds"):
        find(tmp_path / "train", kinds=("babble",))


def test_simulated_sources_follow_from_the_seed(train: Path) -> None:
    def read(sources: Sources) -> list[bytes]:
        return [Path(item.entry).read_bytes() for item in sources.noise]

    first, again = (read(find(train, kinds=("noise",))) for _ in range(2))
    assert first == again
    assert read(find(train, kinds=("noise",), seed=1)) != first
    assert len(set(first)) == len(first)


def test_random_numbers_are_those_of_a_seed_and_a_key() -> None:
    drawn = {
        (seed, key): generator_of(seed, key).random() for seed in range(3) for key in ("a", "b")
    }
    assert len(set(drawn.values())) == 6
    assert generator_of(2, "b").random() == drawn[2, "b"]
