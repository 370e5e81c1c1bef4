"""Where all corpora end: two sets that fit together, or one line that says why not."""

import argparse
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from lhotse import RecordingSet

from deep_speaker.corpora import preparation
from deep_speaker.corpora.manifest_lines import manifest_path
from deep_speaker.features.extraction import compute_data_dir
from deep_speaker.kaldi.tables import read_table
from deep_speaker.kaldi.utterances import Utterance
from deep_speaker.trials.lists import read_trials
from support import kaldi_checks
from support.speech import EXPERIMENT, make_utterances, snapshot, write_speech

Sets = tuple[list[Utterance], list[Utterance]]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Sets:
    folder = tmp_path_factory.mktemp("audio")
    return make_utterances(folder, "train", 3, 2), make_utterances(folder, "test", 3, 3)


def parse(output: Path, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    preparation.add_options(parser)
    return parser.parse_args([str(output), *words])


FOLDERS = ["manifests", "stage_0_options", "test", "train"]


def test_both_sets_are_written_as_kaldi_and_lhotse_want_them(sets: Sets, tmp_path: Path) -> None:
    output = tmp_path / "tiny"
    preparation.write_corpus(parse(output), *sets)
    for name, utterances in zip(("train", "test"), sets, strict=True):
        assert kaldi_checks.validate(output / name) == "valid"
        ids = {item.id for item in utterances}
        assert read_table(output / name / "wav.scp").keys() == ids
        recordings = RecordingSet.from_file(manifest_path(output / name, "recordings"))
        assert {item.id for item in recordings} == ids
    assert sorted(path.name for path in output.iterdir()) == FOLDERS
    assert not (output / "train" / "trials").exists()
    trials = read_trials(output / "test" / "trials")
    assert (len(trials), sum(trial.target for trial in trials)) == (36, 9)
    one_plus_99 = read_trials(output / "test" / "trials_one_plus_99")
    assert (len(one_plus_99), sum(trial.target for trial in one_plus_99)) == (27, 9)


def test_a_test_set_alone_needs_no_training_speakers(sets: Sets, tmp_path: Path) -> None:
    preparation.write_corpus(parse(tmp_path / "both"), *sets)
    output = tmp_path / "alone"
    preparation.write_corpus(parse(output), None, sets[1])
    assert sorted(path.name for path in output.iterdir()) == [
        "manifests",
        "stage_0_options",
        "test",
    ]
    assert snapshot(output / "test") == snapshot(tmp_path / "both/test")
    manifests = sorted(path.name for path in (output / "manifests").iterdir())
    assert manifests == [f"alone_{kind}_test.jsonl.gz" for kind in ("recordings", "supervisions")]
    preparation.write_corpus(parse(output), None, sets[1])  # once more
    preparation.write_corpus(parse(output), *sets)  # now with training speakers
    assert sorted(path.name for path in output.iterdir()) == FOLDERS


def test_a_test_set_alone_removes_no_training_speakers(sets: Sets, tmp_path: Path) -> None:
    output = tmp_path / "tiny"
    preparation.write_corpus(parse(output), *sets)
    before = snapshot(output)
    with pytest.raises(ValueError, match=r"tiny/train is there .* --name, or remove .*tiny/train$"):
        preparation.write_corpus(parse(output), None, iter(sets[1]))
    assert snapshot(output) == before


def test_a_test_set_alone_is_checked_too(sets: Sets, tmp_path: Path) -> None:
    twice = [*sets[1], sets[1][0]]
    with pytest.raises(ValueError, match="comes twice"):
        preparation.write_corpus(parse(tmp_path / "tiny"), None, twice)
    with pytest.raises(ValueError, match="the test set has no utterances"):
        preparation.write_corpus(parse(tmp_path / "tiny"), None, [])


def test_the_seed_and_the_options_choose_the_trials(sets: Sets, tmp_path: Path) -> None:
    lists = []
    for words in (
        ["--max-trials", "12"],
        ["--max-trials", "12", "--data-seed", "0"],
        ["--max-trials", "12", "--data-seed", "1"],
        ["--trials", "balanced"],
    ):
        preparation.write_corpus(parse(tmp_path / "tiny", *words), *sets)
        lists.append(read_trials(tmp_path / "tiny" / "test" / "trials"))
        names = [word[2:].replace("-", "_") for word in words[::2]]
        given = dict(zip(names, words[1::2], strict=True))
        assert given.items() <= read_table(tmp_path / "tiny/stage_0_options").items()
    assert lists[0] == lists[1] != lists[2]
    assert [len(trials) for trials in lists] == [12, 12, 12, 18]


def test_preparing_again_takes_the_old_features_away(sets: Sets, tmp_path: Path) -> None:
    output = tmp_path / "tiny"
    preparation.write_corpus(parse(output), *sets)
    fresh = snapshot(output / "test").keys()
    compute_data_dir(output / "test", EXPERIMENT, 1)
    assert snapshot(output / "test").keys() > fresh
    preparation.write_corpus(parse(output), *sets)
    assert snapshot(output / "test").keys() == fresh
    assert not manifest_path(output / "test", "features").exists()


def test_preparing_again_takes_copies_of_the_old_training_set_away(
    sets: Sets, tmp_path: Path
) -> None:
    output = tmp_path / "tiny"
    for name in ("train_copies", "train_augmented"):
        (output / name).mkdir(parents=True)
    preparation.write_corpus(parse(output), *sets)
    assert sorted(path.name for path in output.iterdir()) == FOLDERS


def test_a_list_of_the_user_s_stays_as_long_as_it_fits(sets: Sets, tmp_path: Path) -> None:
    output = tmp_path / "tiny"
    preparation.write_corpus(parse(output), *sets)
    own = output / "test" / "trials_own"
    own.write_text("test0-0 test0-1 target\ntest0-0 test1-1 nontarget\n")
    (output / "test" / "trials_own.partial").touch()
    before = snapshot(output / "test")
    preparation.write_corpus(parse(output), *sets)
    assert snapshot(output / "test") == {
        name: text for name, text in before.items() if name != "trials_own.partial"
    }
    before = snapshot(output)
    others = [replace(item, id=f"{item.id}b") for item in sets[1]]
    with pytest.raises(ValueError, match=r"/trials_own: 3 of 3 ids .*'test0-0'"):
        preparation.write_corpus(parse(output), sets[0], others)
    assert snapshot(output) == before


def test_own_lists_take_the_place_of_drawn_ones(sets: Sets, tmp_path: Path) -> None:
    own = tmp_path / "veri.txt"
    own.write_text("1 test0/0.wav test0/1.flac\n0 test0/0.wav test1/1.flac\n")
    output = tmp_path / "tiny"
    preparation.write_corpus(parse(output, "--trial-lists", str(own)), *sets)
    assert [path.name for path in output.glob("test/*trials*")] == ["trials_veri"]
    assert (output / "test" / "trials_veri").read_text() == (
        "test0-0 test0-1 target\ntest0-0 test1-1 nontarget\n"
    )
    own.write_text("0 enrolled test1/1.flac\n1 enrolled test0/2.wav\n")
    models = {"enrolled": ["test0-0", "test0-1"]}
    preparation.write_corpus(parse(tmp_path / "other"), *sets, {"trials": own}, models)
    assert (tmp_path / "other/test/trials").read_text() == (
        "enrolled test1-1 nontarget\nenrolled test0-2 target\n"
    )
    assert (tmp_path / "other/test/enroll_spk2utt").read_text() == "enrolled test0-0 test0-1\n"
    own.write_text("1 test0-0 test9-1\n1 test0-0 test0-1\n0 test0-0 test8-1\n")
    before = snapshot(output)
    with pytest.raises(ValueError, match=r"^2 of 4 names in .*/veri\.txt .*test8-1"):
        preparation.write_corpus(parse(output, "--trial-lists", str(own)), *sets)
    assert snapshot(output) == before


def test_speakers_of_a_closed_set_may_train_and_test(sets: Sets, tmp_path: Path) -> None:
    train, test = list(sets[0]), list(sets[1])
    train.append(test.pop())
    preparation.write_corpus(parse(tmp_path / "tiny"), train, test, closed_set=True)
    assert read_table(tmp_path / "tiny/train/spk2utt")["test2"] == "test2-2"
    train.append(replace(test[0], id="train0-9", speaker="train0"))
    with pytest.raises(ValueError, match=r"/test0/0\.wav .*'train0-9' .*'test0-0'"):
        preparation.write_corpus(parse(tmp_path / "tiny"), train, test, closed_set=True)


def test_options_add_enrolments_and_identification(sets: Sets, tmp_path: Path) -> None:
    words = ("--enrolments", "2", "--identification")
    preparation.write_corpus(parse(tmp_path / "tiny", *words), *sets)
    assert sorted(path.name for path in (tmp_path / "tiny/test").glob("trials*")) == [
        "trials",
        "trials_enrolment_2",
        "trials_enrolment_2_one_plus_99",
        "trials_identification",
        "trials_one_plus_99",
    ]
    models = read_table(tmp_path / "tiny/test/enroll_spk2utt")
    assert all(len({key.split("-")[0] for key in utts.split()}) == 1 for utts in models.values())


def test_lists_that_an_earlier_run_drew_go(sets: Sets, tmp_path: Path) -> None:
    output = tmp_path / "tiny"
    preparation.write_corpus(parse(output, "--enrolments", "2", "--identification"), *sets)
    preparation.write_corpus(parse(output, "--data-seed", "1"), *sets)
    assert sorted(path.name for path in (output / "test").glob("*trials*")) == [
        "trials",
        "trials_one_plus_99",
    ]
    assert not (output / "test" / "enroll_spk2utt").exists()


def spoil_shared(train: list[Utterance], test: list[Utterance]) -> None:
    train.append(replace(test[0], id="test0-new"))


def spoil_file(train: list[Utterance], test: list[Utterance]) -> None:
    train.append(replace(test[0], speaker="new", id="new-0"))


def spoil_two_speakers(train: list[Utterance], test: list[Utterance]) -> None:
    train.append(replace(train[0], speaker="new", id="new-0"))


def spoil_twice(train: list[Utterance], test: list[Utterance]) -> None:
    train.append(replace(train[0], entry="/elsewhere/x.wav"))


def spoil_prefix(train: list[Utterance], test: list[Utterance]) -> None:
    train[0] = replace(train[0], id="zero-0")


def spoil_speaker(train: list[Utterance], test: list[Utterance]) -> None:
    train[0] = replace(train[0], speaker="train 0", id="train 0-1")


def spoil_trials(train: list[Utterance], test: list[Utterance]) -> None:
    test[:] = test[:3]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (spoil_shared, "^1 speakers .*'test0'"),
        (spoil_file, r"/test0/0\.wav .*'new-0' .*'test0-0'"),
        (spoil_two_speakers, r"/train0/0\.wav .*'(new|train0)-0' .*'(new|train0)-0'"),
        (spoil_twice, r"'train0-0' .*/elsewhere/x\.wav .*/train0/0\.wav"),
        (spoil_prefix, "'zero-0' of 'train0' .*'train2-1' of 'train2'"),
        (spoil_speaker, "'train 0-1' "),
        (spoil_trials, r"\b3 .*\b1 .*3 target and 0 nontarget"),
        (lambda train, test: train.clear(), r"\btrain\b"),
        (lambda train, test: test.clear(), r"\btest\b"),
    ],
)
def test_sets_that_do_not_fit_are_refused_and_the_previous_ones_stay(
    sets: Sets,
    tmp_path: Path,
    spoil: Callable[[list[Utterance], list[Utterance]], None],
    told: str,
) -> None:
    output = tmp_path / "tiny"
    preparation.write_corpus(parse(output), *sets)
    before = snapshot(output)
    train, test = list(sets[0]), list(sets[1])
    spoil(train, test)
    with pytest.raises(ValueError, match=told):
        preparation.write_corpus(parse(output), train, test)
    assert snapshot(output) == before


def test_bad_files_up_to_5_percent_are_logged_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = write_speech(tmp_path, [f"{i:02}.wav" for i in range(20)])
    paths[7].write_bytes(b"")
    infos = dict(preparation.read_infos(paths, 3))
    assert list(infos) == [path for path in paths if path != paths[7]]
    for i, path in enumerate(paths):
        if i != 7:  # write_speech's lengths
            assert infos[path].num_samples == 160 * (25 + i % 16)
    assert f"{paths[7]}: empty file" in caplog.text
    assert "1 of 20 files " in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    paths[8].write_bytes(b"no audio")
    with pytest.raises(ValueError, match=r"^2 of 20 files .*5%.*/07\.wav: empty"):
        list(preparation.read_infos(paths, 3))


@pytest.mark.parametrize(
    "words",
    [["--trials", "some"], ["--max-trials", "0"], ["--max-trials", "1.5"], ["--data-seed", "x"]],
)
def test_wrong_options_are_refused(words: list[str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(Path("data"), *words)
    assert stopped.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_safe_ids_hold_nothing_that_sorts_below_the_dash() -> None:
    for code in range(1, 0x3000):
        for character in preparation.safe_id(chr(code)):
            assert character > "-"
            assert not character.isspace()
    assert preparation.safe_id("Zoë_2.b李") == "Zoë_2.b李"
    assert preparation.safe_id("a-b c/d") == "a_b_c_d"
