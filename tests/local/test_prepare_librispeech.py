"""Stage 0 for LibriSpeech, on tiny trees in its layout."""

from pathlib import Path

import pytest
from lhotse import SupervisionSet

import prepare_librispeech
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.kaldi.tables import read_table
from support import kaldi_checks
from support.preparation import run_main
from support.speech import make_speech, snapshot, write_audio

# Kaldi's order of these with and without the dash differs.
TRAIN = {"19": ("f", "198"), "198": ("m", "209"), "1034": ("m", "121119")}
TEST = {"1272": ("m", "128104"), "84": ("f", "121123"), "8": ("f", "1")}
SPEAKERS = """; ID  |SEX| SUBSET           |MINUTES| NAME
;
19   | F | train-clean-5    | 25.19 | Kara Shallenberg
198  | M | train-clean-5    | 25.11 | Heather | Barnett
1034 | M | train-clean-5    | 25.10 | Kevin O'Coin
1272 | M | dev-clean-2      |  8.08 | John Rose
84   | F | dev-clean-2      |  8.04 | Christie Nowak
8    | F | dev-clean-2      |  8.04 | Nobody
777  | M | dev-clean-2      |  8.04 | Not Here
"""


def write_part(folder: Path, speakers: dict[str, tuple[str, str]], count: int = 5) -> None:
    """`<speaker>/<chapter>/<speaker>-<chapter>-<nnnn>.flac` and the chapter's transcripts."""
    for speaker, (_, chapter) in speakers.items():
        lines = []
        for i in range(count):
            key = f"{speaker}-{chapter}-{i:04}"
            write_audio(folder / speaker / chapter / f"{key}.flac", make_speech(i, 0.2 + 0.01 * i))
            lines.append(f"{key} WORDS NUMBER {i}\n")
        path = folder / speaker / chapter / f"{speaker}-{chapter}.trans.txt"
        path.write_text("".join(lines))


@pytest.fixture
def corpus_dir(tmp_path: Path) -> Path:
    """Mini LibriSpeech: 15 utterances train, 15 test."""
    folder = tmp_path / "LibriSpeech"
    write_part(folder / "train-clean-5", TRAIN)
    write_part(folder / "dev-clean-2", TEST)
    (folder / "SPEAKERS.TXT").write_text(SPEAKERS)
    return folder


def prepare(monkeypatch: pytest.MonkeyPatch, output: Path, *words: str | Path) -> None:
    run_main(monkeypatch, prepare_librispeech, output, *words)


def speakers_of(data_dir: Path) -> set[str]:
    return set(read_table(data_dir / "spk2utt"))


def test_mini_librispeech_trains_on_train_and_tests_on_dev(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(monkeypatch, tmp_path / "mini", "--corpus-dir", corpus_dir)
    for name, part, speakers in (("train", "train-clean-5", TRAIN), ("test", "dev-clean-2", TEST)):
        data_dir = tmp_path / "mini" / name
        assert kaldi_checks.validate(data_dir) == "valid"
        utt2spk = read_table(data_dir / "utt2spk")
        assert utt2spk == {
            f"{speaker}-{chapter}-{i:04}": speaker
            for speaker, (_, chapter) in speakers.items()
            for i in range(5)
        }
        assert read_table(data_dir / "spk2gender") == {
            speaker: sex for speaker, (sex, _) in speakers.items()
        }
        durations = read_table(data_dir / "utt2dur")
        for key, entry in read_table(data_dir / "wav.scp").items():
            speaker, chapter, number = key.split("-")
            path = corpus_dir / part / speaker / chapter / f"{key}.flac"
            assert entry == f"flac -c -d -s {path} |"
            assert path.is_file()
            assert float(durations[key]) == pytest.approx(0.2 + 0.01 * int(number))
        texts = {
            item.id: item.text
            for item in SupervisionSet.from_file(manifest_path(data_dir, "supervisions"))
        }
        assert texts == {key: f"WORDS NUMBER {int(key[-4:])}" for key in utt2spk}


def test_parts_are_all_of_train_and_test_or_those_named(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_part(corpus_dir / "train-other-500", {"20": ("f", "1")}, 2)
    write_part(corpus_dir / "test-clean", {"61": ("m", "70968"), "62": ("m", "1")}, 2)
    write_part(corpus_dir / "test-other", {"367": ("m", "1")}, 2)
    (corpus_dir / "train-notes").mkdir()
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    assert speakers_of(tmp_path / "d/train") == {*TRAIN, "20"}
    assert speakers_of(tmp_path / "d/test") == {"61", "62", "367"}  # no dev-* beside test-*

    words = ["--train-parts", "train-other-500", "--test-parts", "test-clean", "dev-clean-2"]
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir, *words)
    assert speakers_of(tmp_path / "d/train") == {"20"}
    assert speakers_of(tmp_path / "d/test") == {"61", "62", *TEST}

    with pytest.raises(ValueError, match="/train-clean-100: "):
        prepare(
            monkeypatch,
            tmp_path / "d",
            "--corpus-dir",
            corpus_dir,
            "--train-parts",
            "train-clean-100",
        )


def test_the_large_parts_train_and_test_in_any_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "LibriSpeech"
    parts = {
        "train-clean-100": {"19": ("f", "198"), "26": ("m", "495")},
        "train-clean-360": {"14": ("f", "208"), "16": ("f", "122827")},
        "train-other-500": {"20": ("f", "205"), "25": ("m", "123319")},
        "test-clean": {"61": ("m", "70968"), "121": ("f", "121726")},
        "test-other": {"367": ("m", "130732"), "533": ("f", "1066")},
    }
    for part, speakers in parts.items():
        write_part(folder / part, speakers, 2)
    for train, test in (
        (["train-clean-100"], ["test-other"]),
        (["train-clean-360", "train-other-500"], ["test-clean"]),
        (["train-clean-100", "train-clean-360", "train-other-500"], ["test-clean", "test-other"]),
    ):
        words = ["--train-parts", *train, "--test-parts", *test]
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", folder, *words)
        for name, chosen in (("train", train), ("test", test)):
            expected = {speaker for part in chosen for speaker in parts[part]}
            assert speakers_of(tmp_path / "d" / name) == expected


def test_a_part_that_lacks_much_of_its_audio_is_refused(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a download that broke off: one line, and what was prepared before stays."""
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    before = snapshot(tmp_path / "d")
    for path in (corpus_dir / "dev-clean-2/84/121123").glob("*.flac"):
        path.unlink()
    told = rf"^5 of 15 files .*5%.*{corpus_dir}/dev-clean-2\b.* 84-121123-0000: "
    with pytest.raises(ValueError, match=told):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    assert snapshot(tmp_path / "d") == before


def test_an_empty_file_among_many_is_logged_and_left_out(
    corpus_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    part = corpus_dir / "train-clean-5"
    write_part(part, {"20": ("f", "1")}, 15)  # 30 in all
    (part / "19/198/19-198-0002.flac").write_bytes(b"")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    keys = read_table(tmp_path / "d/train/utt2spk").keys()
    assert len(keys) == 29
    assert "19-198-0002" not in keys
    assert "19-198-0002" in caplog.text
    assert "1 of 30 files " in caplog.text
    (part / "19/198/19-198-0003.flac").write_bytes(b"fLaC")
    with pytest.raises(ValueError, match=r"^2 of 30 files .*5%.*19-198-0002"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)


def test_blank_lines_and_lines_without_words_are_no_failure(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = corpus_dir / "dev-clean-2/84/121123/84-121123.trans.txt"
    path.write_text(path.read_text() + "\n \n")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    assert len(read_table(tmp_path / "d/test/utt2spk")) == 15


def test_a_transcript_without_its_audio_is_left_out(
    corpus_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (corpus_dir / "dev-clean-2/84/121123/84-121123-0001.flac").unlink()
    caplog.set_level("INFO")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    assert len(read_table(tmp_path / "d/test/utt2spk")) == 14
    assert "/dev-clean-2: 14 of 15 utterances " in caplog.text


def test_without_speakers_txt_no_sex_is_claimed(
    corpus_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (corpus_dir / "SPEAKERS.TXT").unlink()
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    assert not (tmp_path / "d/train/spk2gender").exists()
    assert f"{corpus_dir}/SPEAKERS.TXT " in caplog.text


@pytest.mark.parametrize("line", ["just a line", "19"])
def test_a_damaged_speakers_txt_is_one_clear_error(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    (corpus_dir / "SPEAKERS.TXT").write_text(SPEAKERS + line + "\n")
    with pytest.raises(ValueError, match=r"/SPEAKERS\.TXT: "):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)


def test_an_empty_tree_is_one_clear_error(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "LibriSpeech2").mkdir()
    with pytest.raises(ValueError, match=r"/LibriSpeech2: .*--corpus-dir"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", tmp_path / "LibriSpeech2")
    (corpus_dir / "train-clean-100").mkdir()
    with pytest.raises(ValueError, match=r"/train-clean-100: .*trans\.txt"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    assert not (tmp_path / "d").exists()


def test_a_missing_folder_is_downloaded_or_one_clear_error(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path, object]] = []

    def no_network(target: Path, parts: object) -> Path:
        asked.append((target, parts))
        raise OSError("<urlopen error\n [Errno -2] Name or service not known>")

    monkeypatch.setattr(prepare_librispeech, "download_librispeech", no_network)
    missing = tmp_path / "new" / "LibriSpeech"
    with pytest.raises(ValueError, match=f"^{missing}: .*OSError.*--corpus-dir"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", missing)
    words = ["--train-parts", "train-clean-5", "--test-parts", "dev-clean-2"]
    with pytest.raises(ValueError, match="--corpus-dir"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", missing, *words)
    assert asked == [
        (missing.parent, ["train-clean-5", "dev-clean-2"]),
        (missing.parent, ["train-clean-5", "dev-clean-2"]),
    ]

    monkeypatch.setattr(prepare_librispeech, "download_librispeech", lambda *_: corpus_dir)
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", missing)
    assert speakers_of(tmp_path / "d/train") == TRAIN.keys()


def test_a_folder_of_another_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=f"^{tmp_path}/libri: .*/LibriSpeech$"):
        prepare(monkeypatch, tmp_path / "data", "--corpus-dir", tmp_path / "libri")
    assert list(tmp_path.iterdir()) == []
