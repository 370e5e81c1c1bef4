"""Stage 0 for VCTK, on tiny trees in the layouts of its two versions."""

import sys
from pathlib import Path

import pytest
from lhotse import SupervisionSet

import prepare_vctk
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.wav_entries import file_of_entry
from support import kaldi_checks
from support.preparation import fail_on_a_missing_folder
from support.speech import make_speech, write_audio

RATE = 48000
SEXES = {"p225": "f", "p226": "m", "p248": "f", "p280": "f", "p315": "m", "s5": "f"}
# As released: no region, a comment, trailing blanks.
SPEAKER_INFO = """ID  AGE  GENDER  ACCENTS  REGION COMMENTS \n\
p225  23  F    English    Southern  England
p226  22  M    English    Surrey
p248  23  F    Indian  \n\
p280  25  F    Unknown    France (mic2 files unavailable)
p315  18  M    American    New  England (text files unavailable)
p376  22  M    Indian
s5  22  F
"""


def write_texts(folder: Path, speakers: list[str]) -> None:
    for speaker in speakers:
        (folder / "txt" / speaker).mkdir(parents=True)
        for i in (1, 2):
            path = folder / f"txt/{speaker}/{speaker}_{i:03}.txt"
            path.write_text(f"Please call {speaker}, “{i}”.\n", encoding="utf-8")


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Version 0.92: utterances 001 and 002, of 0.21 and 0.22 s, longer by 0.1 s on microphone 2."""
    folder = tmp_path / "VCTK-Corpus-0.92"
    for speaker in SEXES:
        for mic in (1, 2) if speaker != "p280" else (1,):
            for i in (1, 2):
                path = folder / f"wav48_silence_trimmed/{speaker}/{speaker}_{i:03}_mic{mic}.flac"
                write_audio(path, make_speech(i, 0.1 + 0.01 * i + 0.1 * mic, RATE), RATE)
    (folder / "wav48_silence_trimmed/log.txt").write_text("trimmed\n")
    write_texts(folder, [speaker for speaker in SEXES if speaker != "p315"])
    (folder / "speaker-info.txt").write_text(SPEAKER_INFO)
    return folder


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Version 0.80, whose table has bare numbers and not p280."""
    folder = tmp_path / "VCTK-Corpus"
    speakers = [speaker for speaker in SEXES if speaker != "s5"]
    for speaker in speakers:
        for i in (1, 2):
            path = folder / f"wav48/{speaker}/{speaker}_{i:03}.wav"
            write_audio(path, make_speech(i, 0.2 + 0.01 * i, RATE), RATE)
    write_texts(folder, [speaker for speaker in speakers if speaker != "p315"])
    lines = SPEAKER_INFO.replace(" COMMENTS", "").replace("\np", "\n").splitlines()[:-1]
    (folder / "speaker-info.txt").write_text(
        "".join(f"{line.split(' (')[0]}\n" for line in lines if not line.startswith("280"))
    )
    return folder


def prepare(monkeypatch: pytest.MonkeyPatch, output: Path, *words: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["prepare_vctk.py", *map(str, [output, *words])])
    prepare_vctk.main()


def read_both(output: Path, name: str) -> dict[str, str]:
    tables = [read_table(output / part / name) for part in ("train", "test")]
    assert not tables[0].keys() & tables[1].keys()
    return tables[0] | tables[1]


def read_texts(output: Path) -> dict[str, str | None]:
    return {
        item.id: item.text
        for part in ("train", "test")
        for item in SupervisionSet.from_file(manifest_path(output / part, "supervisions"))
    }


@pytest.mark.parametrize("mic", ["1", "2"])
def test_new_version_by_microphone(
    new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mic: str
) -> None:
    words = ["--mic", mic] if mic == "2" else []
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", new, *words)
    speakers = [speaker for speaker in SEXES if (speaker, mic) != ("p280", "2")]
    assert read_both(tmp_path / "d", "utt2spk") == {
        f"{speaker}-{i:03}": speaker for speaker in speakers for i in (1, 2)
    }
    assert read_both(tmp_path / "d", "spk2gender") == {key: SEXES[key] for key in speakers}
    durations = read_both(tmp_path / "d", "utt2dur")
    for key, entry in read_both(tmp_path / "d", "wav.scp").items():
        speaker, number = key.split("-")
        folder = new / "wav48_silence_trimmed" / speaker
        assert entry == f"flac -c -d -s {folder}/{speaker}_{number}_mic{mic}.flac |"
        expected = 0.1 + 0.01 * int(number) + 0.1 * int(mic)
        assert float(durations[key]) == pytest.approx(expected)
    assert read_texts(tmp_path / "d") == {
        f"{speaker}-{i:03}": None if speaker == "p315" else f"Please call {speaker}, “{i}”."
        for speaker in speakers
        for i in (1, 2)
    }
    for part in ("train", "test"):
        assert kaldi_checks.validate(tmp_path / "d" / part) == "valid"


def test_old_version_with_the_speaker_its_table_lacks(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", old)
    sexes = {speaker: sex for speaker, sex in SEXES.items() if speaker != "s5"}
    assert read_both(tmp_path / "d", "spk2gender") == sexes
    entries = read_both(tmp_path / "d", "wav.scp")
    assert {key: file_of_entry(entry) for key, entry in entries.items()} == {
        f"{speaker}-{i:03}": old / f"wav48/{speaker}/{speaker}_{i:03}.wav"
        for speaker in sexes
        for i in (1, 2)
    }
    assert read_texts(tmp_path / "d")["p280-002"] == "Please call p280, “2”."


def test_speakers_are_split_by_seed_and_share(
    new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def test_speakers(*words: str) -> set[str]:
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", new, *words)
        return set(read_table(tmp_path / "d/test/spk2utt"))

    splits = [test_speakers("--data-seed", seed) for seed in "00123"]
    assert splits[0] == splits[1]
    assert len({frozenset(split) for split in splits}) > 1
    assert {len(split) for split in splits} == {2}
    assert len(test_speakers("--test-share", "0.5")) == 3
    with pytest.raises(ValueError, match=r"--test-share 0\.9"):
        test_speakers("--test-share", "0.9")


def test_without_speaker_info_no_sex_is_claimed(
    new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (new / "speaker-info.txt").unlink()
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", new)
    assert not (tmp_path / "d/train/spk2gender").exists()
    assert f"{new}/speaker-info.txt " in caplog.text


def test_another_layout_is_refused_with_the_one_sought(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "half/wav48_silence_trimmed").mkdir(parents=True)
    for folder, mic in (("empty", "1"), ("half", "1"), (old.name, "2")):
        told = rf"^{tmp_path}/{folder}: .*wav48_silence_trimmed/p225/p225_001_mic1\.flac"
        with pytest.raises(ValueError, match=told):
            prepare(monkeypatch, tmp_path / "d", "--corpus-dir", tmp_path / folder, "--mic", mic)
    assert not (tmp_path / "d").exists()


def test_a_missing_folder_is_one_line_and_an_exit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = fail_on_a_missing_folder(monkeypatch, capsys, prepare_vctk, tmp_path)
    assert error.startswith(f"prepare_vctk.py: error: {tmp_path}/x: ")
