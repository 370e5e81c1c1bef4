"""Stage 0 for TIMIT, on tiny trees in its layout, with headers as its SPHERE files have them."""

import sys
from pathlib import Path

import numpy as np
import pytest
from lhotse import SupervisionSet

import prepare_timit
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.kaldi.audio import load_audio
from deep_speaker.kaldi.tables import read_table
from deep_speaker.trials.lists import read_trials
from support import kaldi_checks
from support.preparation import fail_on_a_missing_folder
from support.speech import make_speech, write_audio

TRAIN = {"FCJF0": "DR1", "MDAB0": "DR1", "MTRR0": "DR4"}
TEST = {"FAKS0": "DR1", "MWBT0": "DR1"}
SENTENCES = {
    "SA1": "She had your dark suit in greasy wash water all year.",
    "SX37": "Critical equipment needs proper maintenance.",
}
HEADER = """NIST_1A
   1024
database_id -s5 TIMIT
database_version -s3 1.0
utterance_id -s8 cjf0_sa1
channel_count -i 1
sample_count -i {count}
sample_rate -i 16000
sample_min -i -2191
sample_max -i 2790
sample_n_bytes -i 2
sample_byte_format -s2 01
sample_sig_bits -i 16
end_head
"""


def write_sphere(path: Path, samples: np.ndarray) -> None:
    header = HEADER.format(count=len(samples)).encode().ljust(1024)
    path.write_bytes(header + (samples * 32767).astype("<i2").tobytes())


def write_timit(folder: Path, speakers: dict[str, str]) -> Path:
    """<dialect>/<speaker>/<sentence>.{WAV,TXT,PHN}, SA1 of 0.2 s and SX37 of 0.25 s."""
    for speaker, dialect in speakers.items():
        home = folder / dialect / speaker
        home.mkdir(parents=True)
        for i, (name, words) in enumerate(SENTENCES.items()):
            write_sphere(home / f"{name}.WAV", make_speech(i, 0.2 + 0.05 * i))
            (home / f"{name}.TXT").write_text(f"0 46797 {words} \n")
            (home / f"{name}.PHN").write_text("0 3050 h#\n")
    return folder


@pytest.fixture
def corpus_dir(tmp_path: Path) -> Path:
    write_timit(tmp_path / "timit/TRAIN", TRAIN)
    write_timit(tmp_path / "timit/TEST", TEST)
    (tmp_path / "timit/DOC").mkdir()
    (tmp_path / "timit/TRAIN/DR1/README").write_text("not a speaker")
    return tmp_path / "timit"


def lower_names(folder: Path) -> None:
    """Rename all below a folder to lower case, as in some releases."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rename(path.with_name(path.name.lower()))


def prepare(monkeypatch: pytest.MonkeyPatch, output: Path, *words: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["prepare_timit.py", *map(str, [output, *words])])
    prepare_timit.main()


@pytest.mark.parametrize("case", ["upper", "lower"])
def test_train_trains_and_test_tests(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    if case == "lower":
        lower_names(corpus_dir)
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    for name, speakers in (("train", TRAIN), ("test", TEST)):
        data_dir = tmp_path / "d" / name
        assert kaldi_checks.validate(data_dir) == "valid"
        utt2spk = {f"{speaker}-{key}": speaker for speaker in speakers for key in SENTENCES}
        assert read_table(data_dir / "utt2spk") == utt2spk
        assert read_table(data_dir / "spk2gender") == {key: key[0].lower() for key in speakers}
        lengths = {"SA1": 0.2, "SX37": 0.25}
        for key, duration in read_table(data_dir / "utt2dur").items():
            assert float(duration) == pytest.approx(lengths[key.split("-")[1]])
        items = SupervisionSet.from_file(manifest_path(data_dir, "supervisions"))
        assert {item.id: item.text for item in items} == {
            key: SENTENCES[key.split("-")[1]] for key in utt2spk
        }
    trials = read_trials(tmp_path / "d/test/trials")
    assert (len(trials), sum(trial.target for trial in trials)) == (6, 2)


def test_sphere_files_are_entries_that_are_read(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kaldi reads no SPHERE by itself: the entry is a command, which this recipe knows."""
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    entry = read_table(tmp_path / "d/train/wav.scp")["FCJF0-SX37"]
    path = corpus_dir / "TRAIN/DR1/FCJF0/SX37.WAV"
    assert entry == f"ffmpeg -v error -i {path} -f wav -acodec pcm_s16le - |"
    samples, _ = load_audio(entry, 16000)
    expected = np.trunc(make_speech(1, 0.25) * 32767)
    np.testing.assert_allclose(samples, expected, atol=1)


def test_a_converted_copy_goes_before_the_original(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus_dir.rename(tmp_path / "data")
    home = tmp_path / "data/TRAIN/DR1/FCJF0"
    copies = {
        "SA1": write_audio(home / "SA1.WAV.wav", make_speech(5, 0.3)),
        "SX37": (home / "SX37.riff"),
    }
    (home / "SX37.WAV").unlink()
    write_audio(home / "x.wav", make_speech(6, 0.35)).rename(copies["SX37"])
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", tmp_path)  # TRAIN is one folder below
    entries = read_table(tmp_path / "d/train/wav.scp")
    assert {key: entries[f"FCJF0-{key}"] for key in copies} == {
        key: str(path) for key, path in copies.items()
    }
    assert len(entries) == 6
    texts = {
        item.id: item.text
        for item in SupervisionSet.from_file(manifest_path(tmp_path / "d/train", "supervisions"))
    }
    assert {key: texts[f"FCJF0-{key}"] for key in SENTENCES} == SENTENCES


def test_a_speaker_of_both_parts_is_refused(
    corpus_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_timit(corpus_dir / "TEST", {"FCJF0": "DR3"})
    with pytest.raises(ValueError, match=r"^1 speakers .*'FCJF0'"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", corpus_dir)
    assert not (tmp_path / "d/train").exists()


def test_another_layout_is_refused_with_the_one_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "half/timit/TRAIN").mkdir(parents=True)
    (tmp_path / "bare/TRAIN/DR1/notes").mkdir(parents=True)
    (tmp_path / "bare/TEST").mkdir()
    for place in ("empty", "half", "bare/TRAIN"):
        with pytest.raises(ValueError, match=rf"^{tmp_path}/{place}: .*TRAIN/DR1/FCJF0/SA1\.WAV"):
            prepare(monkeypatch, tmp_path / "d", "--corpus-dir", tmp_path / place.split("/")[0])
    assert not (tmp_path / "d").exists()


def test_a_missing_folder_is_one_line_and_an_exit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = fail_on_a_missing_folder(monkeypatch, capsys, prepare_timit, tmp_path)
    assert error.startswith(f"prepare_timit.py: error: {tmp_path}/x: ")
