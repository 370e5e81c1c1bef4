"""Several corpora as one: ids that cannot clash, and each corpus's own trials."""

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lhotse import CutSet, RecordingSet, SupervisionSet

import combine_corpora
from deep_speaker.corpora import preparation
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.tables import read_table, write_table
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.trials.lists import Trial, find_trial_lists, read_trials
from support import kaldi_checks
from support.speech import EXPERIMENT, make_utterances, snapshot, write_audio


def write_component(folder: Path, sets: Sequence[list[Utterance]], *words: str) -> None:
    """Stage 0 of a corpus alone, from its training and its test set."""
    parser = argparse.ArgumentParser()
    preparation.add_options(parser)
    train, test = sets
    preparation.write_corpus(parser.parse_args([str(folder), *words]), train, test)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corpora a and b-1, whose speakers and utterances have the same ids."""
    folder = tmp_path_factory.mktemp("prepared")
    for name in ("a", "b-1"):
        sets = [
            make_utterances(folder / "audio" / name / part, part, 3, 3)
            for part in ("train", "test")
        ]
        if name == "b-1":
            sets = [[replace(item, sex=None, text=None) for item in items] for items in sets]
        write_component(folder / "data" / name, sets, "--max-trials", "20")
    return folder


@pytest.fixture
def data(prepared: Path, tmp_path: Path) -> Path:
    """A copy of their data directories of one's own."""
    shutil.copytree(prepared / "data", tmp_path / "data")
    return tmp_path / "data"


def test_a_corpus_without_training_speakers_is_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(data / "a/train")
    with pytest.raises(ValueError, match=r"/a has no training speakers"):
        combine(monkeypatch, data, "a", "b-1")


def combine(monkeypatch: pytest.MonkeyPatch, data: Path, *names: str, name: str = "both") -> Path:
    folders = [str(data / name) for name in names]
    words = ["combine_corpora.py", str(data / name), *folders, "--nj", "2"]
    monkeypatch.setattr(sys, "argv", words)
    combine_corpora.main()
    return data / name


def test_ids_get_the_corpus_as_prefix_and_all_else_stays(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = combine(monkeypatch, data, "a", "b-1")
    assert sorted(path.name for path in output.iterdir()) == [
        "manifests", "stage_0_options", "test", "train",
    ]  # fmt: skip
    for part in ("train", "test"):
        assert kaldi_checks.validate(output / part) == "valid"
        for table in ("wav.scp", "utt2dur", "reco2dur"):
            assert read_table(output / part / table) == {
                f"{prefix}_{key}": value
                for name, prefix in (("a", "a"), ("b-1", "b_1"))
                for key, value in read_table(data / name / part / table).items()
            }
        utt2spk = read_table(output / part / "utt2spk")
        assert len(utt2spk) == 18
        assert (utt2spk[f"a_{part}0-1"], utt2spk[f"b_1_{part}2-0"]) == (
            f"a_{part}0",
            f"b_1_{part}2",
        )
        assert not (output / part / "spk2gender").exists()  # not known of all


def test_lists_are_those_of_each_corpus_alone(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "a/test/trials_own").write_text("test0-0 test0-1 target\ntest1 test0-1 nontarget\n")
    test_dir = combine(monkeypatch, data, "a", "b-1") / "test"
    for joined, name, alone, prefix in (
        ("trials_a", "a", "trials", "a_"),
        ("trials_a_one_plus_99", "a", "trials_one_plus_99", "a_"),
        ("trials_b_1", "b-1", "trials", "b_1_"),
        ("trials_b_1_one_plus_99", "b-1", "trials_one_plus_99", "b_1_"),
    ):
        assert read_trials(test_dir / joined) == [
            Trial(prefix + enroll, prefix + test, target)
            for enroll, test, target in read_trials(data / name / "test" / alone)
        ]
    assert (test_dir / "trials_a_own").read_text() == (
        "a_test0-0 a_test0-1 target\na_test1 a_test0-1 nontarget\n"
    )
    assert len(find_trial_lists(test_dir)) == 5


def test_combining_again_gives_the_same(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot(combine(monkeypatch, data, "a", "b-1") / "test")
    assert snapshot(combine(monkeypatch, data, "a", "b-1") / "test") == before


def test_manifests_are_lhotse_s(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = combine(monkeypatch, data, "a", "b-1")
    for part in ("train", "test"):
        recordings = RecordingSet.from_file(manifest_path(output / part, "recordings"))
        supervisions = SupervisionSet.from_file(manifest_path(output / part, "supervisions"))
        cuts = list(CutSet.from_manifests(recordings, supervisions))
        assert {cut.recording.id for cut in cuts} == read_table(output / part / "utt2spk").keys()
        for cut in cuts:
            (said,) = cut.supervisions
            known = said.id.startswith("a_")
            assert said.text == ("some words" if known else None)
            assert (said.gender in ("m", "f")) == known
            assert cut.load_audio().shape == (1, cut.num_samples)


def test_a_combination_combines_further(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = [make_utterances(data.parent / "c" / part, part, 2, 2) for part in ("train", "test")]
    write_component(data / "c", sets)
    combine(monkeypatch, data, "a", "b-1", name="a+b-1")
    output = combine(monkeypatch, data, "a+b-1", "c", name="all")
    assert "a_b_1_b_1_test0-0" in read_table(output / "test/utt2spk")
    assert list(find_trial_lists(output / "test"))[::2] == ["a_b_1_a", "a_b_1_b_1", "c"]
    with pytest.raises(ValueError, match=r"/train0/0\.wav .*'\w+train0-0' .*'\w+train0-0'"):
        combine(monkeypatch, data, "a+b-1", "b-1", name="twice")


def test_what_stage_1_left_out_stays_out(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = write_audio(data / "silent.wav", np.zeros(4000, np.float32))
    wav_scp = read_table(data / "a/test/wav.scp")
    write_table(data / "a/test/wav.scp", wav_scp | {"test0-0": str(silent)})
    compute_data_dir(data / "a/test", EXPERIMENT, 1)
    test_dir = combine(monkeypatch, data, "a", "b-1") / "test"
    assert read_table(test_dir / "utt2spk").keys() == {
        f"{name}_test{speaker}-{i}"
        for name in ("a", "b_1")
        for speaker in range(3)
        for i in range(3)
    } - {"a_test0-0"}
    for path in find_trial_lists(test_dir).values():
        assert "a_test0-0" not in path.read_text()
    assert not (test_dir / "feats.scp").exists()
    compute_data_dir(test_dir, EXPERIMENT, 1)
    assert kaldi_checks.validate(test_dir) == "valid"


def test_sexes_known_of_all_are_kept(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sexes = {f"train{i}": "f" for i in range(3)}
    write_table(data / "b-1/train/spk2gender", sexes)
    output = combine(monkeypatch, data, "a", "b-1")
    found = read_table(output / "train/spk2gender")
    assert found == {"a_train0": "m", "a_train1": "f", "a_train2": "m"} | {
        f"b_1_{speaker}": sex for speaker, sex in sexes.items()
    }
    assert not (output / "test/spk2gender").exists()


def test_corpora_may_share_test_files_but_not_train_on_them(
    prepared: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = make_utterances(prepared / "audio/a/test", "test", 3, 3)
    others = make_utterances(data.parent / "c", "train", 2, 2)
    write_component(data / "c", [others, shared])
    output = combine(monkeypatch, data, "a", "c")
    assert len(read_table(output / "test/wav.scp")) == 18
    link = data.parent / "link"
    link.symlink_to(prepared / "audio/a/test")
    write_component(data / "c", [make_utterances(link, "test", 3, 3), others])
    with pytest.raises(
        ValueError,
        match=r"/a/test/test0/0\.wav .*'c_test0-0' .*'a_test0-0'",
    ):
        combine(monkeypatch, data, "a", "c")


def test_ids_that_two_corpora_would_give_are_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = [make_utterances(data.parent / "c" / part, part, 2, 2) for part in ("train", "test")]
    sets[1] += [
        replace(item, id=f"1_{item.id}", speaker=f"1_{item.speaker}")
        for item in make_utterances(data.parent / "d", "train", 2, 2)
    ]
    write_component(data / "b", sets)
    with pytest.raises(ValueError, match=r"'b_1_train0' .*'b_1' and 'b': .*--name"):
        combine(monkeypatch, data, "b-1", "b")
    assert not (data / "both").exists()


def spoil_manifest(data: Path) -> None:
    (data / "a/test/spk2utt").write_text("test0 test0-0\n")


def spoil_list(data: Path) -> None:
    (data / "a/test/trials_own").write_text("test0-0 nobody target\n")


def spoil_file_names(data: Path) -> None:
    """Corpora a, with a list b_1 of its own, and a-b-1."""
    shutil.copy(data / "a/test/trials", data / "a/test/trials_b_1")
    sets = [make_utterances(data.parent / "c" / part, part, 2, 2) for part in ("train", "test")]
    write_component(data / "a-b-1", sets)


def spoil_audio(data: Path) -> None:
    wav_scp = read_table(data / "a/train/wav.scp")
    write_table(data / "a/train/wav.scp", wav_scp | {"train0-0": "/nowhere.wav"})


@pytest.mark.parametrize(
    ("names", "spoil", "told"),
    [
        (["a", "zh"], None, r"/data/zh .*\./run\.sh --corpus folder --name zh --stop-stage 0"),
        (["a", "librispeech"], None, r"\./run\.sh --corpus librispeech --stop-stage 0"),
        (["a", "a"], None, r"/data/a and .*/data/a .*'a'.*--name"),
        (["a", "both"], None, r"/data/both .*--name"),
        (["a", "b-1"], spoil_manifest, r"/a/test/spk2utt, line 1: .*utt2spk"),
        (["a", "b-1"], spoil_list, r"/a/test/trials_own: 1 of 2 ids .*'nobody'"),
        (["a", "a-b-1"], spoil_file_names, r"/a-b-1/test/trials .*\btrials_a_b_1\b"),
        (["a", "b-1"], spoil_audio, r"/a/train: .*\b1 of 9 utterances"),
    ],
)
def test_what_cannot_be_joined_is_refused_and_nothing_is_written(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    spoil: Callable[[Path], None] | None,
    told: str,
) -> None:
    if spoil:
        spoil(data)
    before = snapshot(data)
    with pytest.raises(ValueError, match=told):
        combine(monkeypatch, data, *names)
    assert snapshot(data) == before
