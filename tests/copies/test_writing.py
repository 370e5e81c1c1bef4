"""Directories of copies, whole: tables, audio, manifests, and what they follow from."""

import gzip
import logging
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from lhotse import CutSet, RecordingSet, SupervisionSet

import augment_data_dir
from deep_speaker.config import AugmentedCopies
from deep_speaker.copies import writing
from deep_speaker.copies.sources import Sources
from deep_speaker.copies.writing import Plan, draw_copies, write_copies
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.audio import load_audio, read_info
from deep_speaker.kaldi.data_dir import read_utterances, write_data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.kaldi.wav_entries import AudioInfo
from support.kaldi_checks import validate
from support.speech import RATE, make_speech, make_utterances, snapshot, write_audio
from support.tiny_data import make_experiment, write_experiment

ALL = {"kinds": ["reverberation", "noise", "babble"], "copies_per_utterance": 3}


def make_copies(
    corpus: Path,
    options: dict[str, Any] = ALL,
    num_jobs: int = 1,
    seed: int = 0,
    folders: tuple[Path | None, Path | None] = (None, None),
) -> Path:
    output = corpus / "train_copies"
    experiment = make_experiment(augmented_copies=options, seed=seed)
    write_copies(corpus / "train", output, experiment, folders, num_jobs)
    return output


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write_data_dir(tmp_path / "c/train", make_utterances(tmp_path / "audio", "spk", 3, 2))
    return tmp_path / "c"


def read_wavs(data_dir: Path) -> dict[str, np.ndarray]:
    entries = read_table(data_dir / "wav.scp")
    return {key: soundfile.read(path, dtype="int16")[0] for key, path in entries.items()}


def test_a_kaldi_directory_of_16_bit_files(corpus: Path) -> None:
    folder = make_copies(corpus)
    assert validate(folder) == "valid"
    originals = read_table(corpus / "train/utt2spk")
    assert read_table(folder / "utt2uniq") == {
        f"{key}-{suffix}": key for key in originals for suffix in ("babble", "noise", "reverb")
    }
    utt2uniq = read_table(folder / "utt2uniq")
    speakers = read_table(folder / "utt2spk")
    assert speakers == {key: originals[original] for key, original in utt2uniq.items()}
    assert read_table(folder / "spk2gender") == read_table(corpus / "train/spk2gender")
    lengths = read_table(corpus / "train/utt2dur")
    assert read_table(folder / "utt2dur") == {
        key: lengths[original] for key, original in utt2uniq.items()
    }
    for path in map(Path, read_table(folder / "wav.scp").values()):
        info = soundfile.info(path)
        assert (info.format, info.subtype, info.samplerate) == ("WAV", "PCM_16", RATE)
        assert folder.absolute() in path.parents
    left = {path.name for path in folder.iterdir()}
    assert left == {
        "augmented_copies.json", "reco2dur", "simulated", "spk2gender", "spk2utt", "text",
        "utt2dur", "utt2spk", "utt2uniq", "wav", "wav.scp",
    }  # fmt: skip
    experiment = make_experiment()
    compute_data_dir(folder, experiment, 1)  # stage 1 runs on it as on any other


def test_lhotse_can_mix_every_copy_anew(corpus: Path) -> None:
    options = ALL | {"speeds": [0.9], "volume": [0.125, 2]}
    folder = make_copies(corpus, options)
    manifests = corpus / "manifests"
    wavs, speakers = read_wavs(folder), read_table(folder / "utt2spk")
    cuts = CutSet.from_file(manifests / "c_cuts_train_copies.jsonl.gz")
    assert {cut.id for cut in cuts} == set(wavs)
    for cut in cuts:
        assert cut.load_audio()[0] == pytest.approx(wavs[cut.id] / 32768, abs=2 / 32768)
        (said,) = cut.supervisions
        assert (said.id, said.speaker, said.text) == (cut.id, speakers[cut.id], "some words")
    recordings = RecordingSet.from_file(manifests / "c_recordings_train_copies.jsonl.gz")
    supervisions = SupervisionSet.from_file(manifests / "c_supervisions_train_copies.jsonl.gz")
    assert {item.id for item in recordings} == {item.id for item in supervisions} == set(wavs)


def test_other_speeds_are_new_speakers(corpus: Path) -> None:
    folder = make_copies(corpus, {"kinds": [], "speeds": [0.9, 1.1]})
    assert validate(folder) == "valid"
    originals = read_table(corpus / "train/utt2spk")
    lengths = read_table(corpus / "train/utt2dur")
    speakers, found = read_table(folder / "utt2spk"), read_table(folder / "utt2dur")
    assert len(speakers) == 2 * len(originals)
    for key, original in read_table(folder / "utt2uniq").items():
        speed = key.removesuffix(f"-{original}")
        assert speed in ("sp0.9", "sp1.1")
        assert speakers[key] == f"{speed}-{originals[original]}"
        expected = float(lengths[original]) / float(speed[2:])
        assert float(found[key]) == pytest.approx(expected, abs=1 / RATE)
    sexes = read_table(folder / "spk2gender")
    assert sexes["sp0.9-spk1"] == sexes["sp1.1-spk1"] == "f"


def test_the_same_again_for_any_number_of_processes(corpus: Path) -> None:
    options = ALL | {"copies_per_utterance": 2, "speeds": [1.1], "volume": [0.5, 2]}
    first = snapshot(make_copies(corpus, options))
    manifest = corpus / "manifests/c_cuts_train_copies.jsonl.gz"
    cuts = gzip.decompress(manifest.read_bytes())
    assert len([name for name in first if name.startswith("wav/")]) > 10
    assert snapshot(make_copies(corpus, options, num_jobs=2)) == first
    assert gzip.decompress(manifest.read_bytes()) == cuts
    assert snapshot(make_copies(corpus, options, seed=1)) != first


def plan(**options: Any) -> Plan:
    copies = AugmentedCopies(**options)
    return Plan(copies, copies.kinds, 0, RATE, Path("x.partial"), Path("x"))


def drawn(utterances: Sequence[str], plan: Plan) -> list[str]:
    info = AudioInfo(RATE, 1, 1, "WAV", "PCM_16")
    items = [Utterance(key, key.split("-")[0], "", info) for key in utterances]
    return [copy_id for item in items for _, copy_id, _, _ in draw_copies(item, plan)]


def test_as_many_copies_as_asked_for_on_average_drawn_for_each_utterance_alone() -> None:
    keys = [f"s{i % 50}-{i}" for i in range(2000)]
    found = drawn(keys, plan())
    assert len(found) == pytest.approx(0.78 * 2000, rel=0.06)
    for suffix in ("reverb", "noise", "music", "babble"):
        count = sum(key.endswith(suffix) for key in found)
        assert count == pytest.approx(0.195 * 2000, rel=0.2)
    assert sorted(drawn(keys[::-1], plan())) == sorted(found)
    assert drawn(keys[:100], plan()) == found[: len(drawn(keys[:100], plan()))]
    assert len(drawn(keys, plan(copies_per_utterance=4))) == 8000


def test_loud_copies_are_lowered_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    utterances = make_utterances(tmp_path / "audio", "spk", 2, 2)
    write_data_dir(tmp_path / "c/train", utterances)
    caplog.set_level(logging.INFO)
    options = {"kinds": [], "speeds": [0.9], "volume": [40, 40]}
    wavs = read_wavs(make_copies(tmp_path / "c", options))
    assert {int(np.abs(samples.astype(int)).max()) for samples in wavs.values()} <= {32767, 32768}
    clipped = [int((np.abs(samples.astype(int)) >= 32767).sum()) for samples in wavs.values()]
    assert max(clipped) <= 2  # the peak alone
    assert any(": 4 copies were lowered" in line for line in caplog.messages)
    assert any("4 at speed 0.9; 0.00 h" in line for line in caplog.messages)


def test_segments_are_copied_as_recordings_of_their_own(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.wav", make_speech(0, 2.0))
    info = AudioInfo(RATE, 2 * RATE, 1, "WAV", "PCM_16")
    parts = [
        Utterance(f"s{i}-x", f"s{i}", str(path), info, segment=Segment("a", 0.5 * i, 0.5 * i + 0.4))
        for i in range(3)
    ]
    write_data_dir(tmp_path / "c/train", parts)
    folder = make_copies(tmp_path / "c")
    assert validate(folder) == "valid"
    assert not (folder / "segments").exists()
    assert set(map(len, read_wavs(folder).values())) == {round(0.4 * RATE)}


def test_a_failure_leaves_what_was_there(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_copies(corpus)
    before = snapshot(corpus)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "validate_data_dir", fail)
    with pytest.raises(KeyboardInterrupt):
        make_copies(corpus, seed=1)
    assert snapshot(corpus) == before


def test_a_copy_that_cannot_be_made_is_named_beside_the_others(
    corpus: Path, tmp_path: Path
) -> None:
    gone = Utterance(
        "gone", "gone", str(tmp_path / "gone.wav"), AudioInfo(RATE, RATE, 1, "WAV", "")
    )
    of_plan = replace(
        plan(kinds=("noise", "music"), copies_per_utterance=2), partial_folder=tmp_path
    )
    originals = list(read_utterances(corpus / "train", 1))
    noise = originals[:1]
    of_plan.sources.write_bytes(pickle.dumps(Sources(noise=noise, music=[gone])))
    made, bad = writing.make_copies(of_plan, originals[1:2])
    assert isinstance(made, writing.Copy)
    assert (made.utterance.id, made.original, made.lowered) == ("spk0-1-noise", "spk0-1", False)
    assert isinstance(bad, tuple)
    assert bad[0] == "spk0-1-music"
    assert "gone.wav" in bad[1]
    assert "\n" not in bad[1]


def test_too_many_such_copies_stop_the_stage(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "cut_of_copy", lambda *_: 1 / "x")  # type: ignore[operator]
    monkeypatch.setattr(writing, "LOADING_ERRORS", (TypeError,))
    with pytest.raises(ValueError, match=r"^18 of 18 copies .*5%.*spk0-0-reverb"):
        make_copies(corpus)
    assert [path.name for path in corpus.iterdir()] == ["train"]


def test_nothing_to_make_is_an_error(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="augmented_copies"):
        write_copies(corpus / "train", corpus / "x", make_experiment(), (None, None), 1)
    with pytest.raises(ValueError, match=r"augmented_copies\.copies_per_utterance"):
        make_copies(corpus, {"copies_per_utterance": 1e-6})
    assert [path.name for path in corpus.iterdir()] == ["train"]


@pytest.mark.parametrize("options", [None, {}])
def test_commands(
    options: dict[str, Any] | None,
    corpus: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    experiment = make_experiment(augmented_copies=None if options is None else ALL | options)
    config = write_experiment(corpus / "c.yaml", experiment)
    if options is not None:
        words = ["augment_data_dir.py", "--config", config, "--nj", 1]
        words += [corpus / "train", corpus / "copies"]
        monkeypatch.setattr("sys.argv", list(map(str, words)))
        augment_data_dir.main()
        assert len(read_table(corpus / "copies/utt2uniq")) == 18


def test_copies_are_as_long_as_stage_1_has_their_originals(tmp_path: Path) -> None:
    """To the sample, whatever the rate: else some have a frame less, and training drops them."""
    utterances = []
    for rate in (8000, 11025, 22050, 44100, 48000):
        for i in (3, 4):  # of these Lhotse gives a sample too few, or at 8 kHz too many
            key = f"s{rate}-{i}"
            samples = make_speech(i, 0.3 + 0.0123 * i, rate)
            path = write_audio(tmp_path / f"audio/{key}.wav", samples, rate)
            utterances.append(Utterance(key, f"s{rate}", str(path), read_info(path)))
    write_data_dir(tmp_path / "c/train", sorted(utterances, key=lambda item: item.id))
    folder = make_copies(tmp_path / "c")
    originals = read_table(folder / "utt2uniq")
    for key, samples in read_wavs(folder).items():
        original = tmp_path / f"audio/{originals[key]}.wav"
        assert len(samples) == len(load_audio(str(original), RATE)[0]), key


@pytest.mark.parametrize("sample", [np.nan, 0.0])
def test_a_room_without_sound_gives_no_copies(corpus: Path, tmp_path: Path, sample: float) -> None:
    rooms = tmp_path / "rooms"
    write_audio(rooms / "bad.wav", np.full(100, sample, np.float32), subtype="FLOAT")
    with pytest.raises(ValueError, match=r"^6 of 6 copies .*spk0-0-reverb: silent"):
        options = {"kinds": ["reverberation"], "copies_per_utterance": 1}
        make_copies(corpus, options, folders=(None, rooms))
    assert not (corpus / "train_copies").exists()


def test_ids_that_copies_would_get_are_refused_before_any_is_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    utterances = make_utterances(tmp_path / "audio", "spk", 2, 2)
    clash = replace(utterances[0], id=f"{utterances[0].id}-noise")
    write_data_dir(tmp_path / "c/train", [utterances[0], clash, *utterances[1:]])
    monkeypatch.setattr(writing, "find_sources", None)
    with pytest.raises(ValueError, match=r"/train: 'spk0-0-noise' .*'spk0-0'"):
        make_copies(tmp_path / "c")


def test_ids_that_look_like_paths_stay_in_the_folder(corpus: Path) -> None:
    names = {"spk0": "../../../spk0", "spk1": "/spk1", "spk2": "spk2"}
    utterances = [
        replace(item, id=item.id.replace(item.speaker, names[item.speaker]) + "/..",
                speaker=names[item.speaker])
        for item in read_utterances(corpus / "train", 1)
    ]  # fmt: skip
    write_data_dir(corpus / "train", sorted(utterances, key=lambda item: item.id))
    before = {path for path in corpus.parent.rglob("*") if corpus not in path.parents}
    folder = make_copies(corpus, ALL | {"speeds": [0.9]})
    assert {path for path in corpus.parent.rglob("*") if corpus not in path.parents} == before
    assert validate(folder) == "valid"
    assert "../../../spk0-0/..-noise" in read_table(folder / "wav.scp")
    for path in map(Path, read_table(folder / "wav.scp").values()):
        assert path.resolve().parents[1] == (folder / "wav").resolve()
    assert len(read_wavs(folder)) == len({*folder.glob("wav/*/*")}) == len(utterances) * 4
