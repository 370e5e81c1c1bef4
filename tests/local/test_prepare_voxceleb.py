"""Stage 0 for VoxCeleb: trees, and who trains and tests."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from deep_speaker.kaldi.tables import read_table
from deep_speaker.trials.lists import find_trial_lists
from support import kaldi_checks
from support.speech import make_speech, snapshot, write_audio, write_speech
from support.voxceleb_trees import (
    E_LIST,
    O_LIST,
    O_TRIALS,
    VOX1_DEV,
    VOX1_TEST,
    VOX2_DEV,
    VOX2_META,
    VOX2_TEST,
    ids_of,
    prepare,
    read_lines,
    utterances_of,
    write_tree,
)
from voxceleb import trees

ROOT = Path(__file__).parents[2]


def test_voxceleb1_alone_trains_without_the_speakers_it_tests(
    voxceleb1: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    (voxceleb1 / "vox1_dev_wav/wav/id10001/1zcIwhmdeo4/._00001.wav").write_bytes(b"a Mac's")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    # id10272 is in no list: VoxCeleb1's own split does not matter, only what is tested.
    held_out = {key: VOX1_TEST[key] for key in ("id10270", "id10271")}
    assert utterances_of(tmp_path / "d/train") == ids_of(
        VOX1_DEV, {"id10272": VOX1_TEST["id10272"]}
    )
    assert utterances_of(tmp_path / "d/test") == ids_of(held_out)
    assert read_lines(tmp_path / "d/test/trials_vox1_o") == O_TRIALS
    assert find_trial_lists(tmp_path / "d/test").keys() == {"vox1_o"}
    assert (
        f"VoxCeleb1 trains: 3 speakers in {voxceleb1}; "
        f"Vox1-O test: 4 utterances of 2 speakers in {voxceleb1}"
    ) in caplog.messages
    assert "left out" not in caplog.text
    for part in ("train", "test"):
        assert kaldi_checks.validate(tmp_path / "d" / part) == "valid"
        assert not (tmp_path / "d" / part / "spk2gender").exists()


def test_entries_and_durations_are_those_of_the_files(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = voxceleb1 / "vox1_dev_wav/wav/id10001/-J_R1zcIwh4/00001.wav"
    write_audio(path, make_speech(0, 0.75))
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    assert read_table(tmp_path / "d/train/wav.scp")["id10001--J_R1zcIwh4-00001"] == str(path)
    assert float(read_table(tmp_path / "d/train/utt2dur")["id10001--J_R1zcIwh4-00001"]) == 0.75
    assert read_table(tmp_path / "d/train/utt2spk")["id10001--J_R1zcIwh4-00001"] == "id10001"


def test_both_archives_in_one_folder_are_told_apart_by_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path / "voxceleb1/wav", VOX1_DEV | VOX1_TEST)
    (tmp_path / "voxceleb1/meta").mkdir()
    (tmp_path / "voxceleb1/meta/veri_test2.txt").write_text(O_LIST)
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", tmp_path / "voxceleb1")
    assert set(read_table(tmp_path / "d/train/spk2utt")) == {"id10001", "id10002", "id10272"}
    assert read_lines(tmp_path / "d/test/trials_vox1_o_cleaned") == O_TRIALS


def test_voxceleb2_trains_where_it_is_and_all_lists_are_tested(
    both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (both / "list_test_all.txt").write_text(E_LIST)
    (both / "list_test_hard2.txt").write_text(E_LIST)
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", both)
    assert utterances_of(tmp_path / "d/train") == ids_of(VOX2_DEV)
    tested = {
        "id10001-1zcIwhmdeo4-00001",
        "id10001--J_R1zcIwh4-00001",
        "id10002-6WO410QOeuo-00003",
        *(key for key in ids_of(VOX1_TEST) if not key.startswith("id10272")),
    }
    assert utterances_of(tmp_path / "d/test") == tested
    lists = find_trial_lists(tmp_path / "d/test")
    assert lists.keys() == {"vox1_o", "vox1_e", "vox1_h_cleaned"}
    assert (
        read_lines(lists["vox1_e"])
        == read_lines(lists["vox1_h_cleaned"])
        == [
            "id10001-1zcIwhmdeo4-00001 id10001--J_R1zcIwh4-00001 target",
            "id10002-6WO410QOeuo-00003 id10270-x6uYqmx31kE-00001 nontarget",
        ]
    )
    assert any(
        line.startswith(f"VoxCeleb2 trains: 2 speakers in {both}; Vox1-O, Vox1-E, Vox1-H-cleaned")
        for line in caplog.messages
    )


def test_protocols_are_chosen(both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (both / "list_test_all.txt").write_text(E_LIST)
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", both, "--protocols", "O")
    assert find_trial_lists(tmp_path / "d/test").keys() == {"vox1_o"}
    with pytest.raises(ValueError, match=r"\blist_test_hard\.txt .*--lists"):
        prepare(monkeypatch, tmp_path / "d2", "--corpus-dir", both, "--protocols", "O", "H")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/list_test_hard.txt").write_text(E_LIST)
    words = ["--corpus-dir", both, "--protocols", "H", "--lists", tmp_path / "mine"]
    prepare(monkeypatch, tmp_path / "d3", *words)
    assert find_trial_lists(tmp_path / "d3/test").keys() == {"vox1_h"}


def test_e_is_not_tested_where_voxceleb1_trains(
    voxceleb1: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    (voxceleb1 / "list_test_all2.txt").write_text(E_LIST)
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    assert find_trial_lists(tmp_path / "d/test").keys() == {"vox1_o"}
    assert any(line.startswith("Vox1-E-cleaned ") for line in caplog.messages)
    before = snapshot(tmp_path / "d")
    with pytest.raises(ValueError, match=r"^Vox1-E-cleaned .*--protocols O O-cleaned"):
        words = ["--corpus-dir", voxceleb1, "--protocols", "O", "E-cleaned"]
        prepare(monkeypatch, tmp_path / "d", *words)
    (voxceleb1 / "veri_test.txt").unlink()
    with pytest.raises(ValueError, match=r"^Vox1-E-cleaned: .*veri_test\.txt"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    assert snapshot(tmp_path / "d") == before


def test_trees_are_named_outright(
    both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With vox1_dev_wav for training in spite of VoxCeleb2; lists are found beside the trees."""
    train, test = both / "vox1_dev_wav", both / "vox1_test_wav/wav"
    prepare(monkeypatch, tmp_path / "d", "--train-dir", train, "--test-dir", test)
    assert utterances_of(tmp_path / "d/train") == ids_of(VOX1_DEV)
    prepare(monkeypatch, tmp_path / "d", "--train-dir", both / "vox2_test_aac", "--test-dir", test)
    assert utterances_of(tmp_path / "d/train") == ids_of(VOX2_TEST)  # as asked


def test_a_test_tree_stands_alone_with_the_lists_that_fit_it(
    voxceleb1: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Vox1-E tests speakers of the other part; in the whole tree it fits."""
    caplog.set_level(logging.INFO)
    (voxceleb1 / "list_test_all.txt").write_text(E_LIST)
    prepare(monkeypatch, tmp_path / "d", "--test-dir", voxceleb1 / "vox1_test_wav")
    assert read_lines(tmp_path / "d/test/trials_vox1_o") == O_TRIALS
    assert find_trial_lists(tmp_path / "d/test").keys() == {"vox1_o"}
    assert not (tmp_path / "d/train").exists()
    assert any(line.startswith("trials_vox1_e left out: ") for line in caplog.messages)
    prepare(monkeypatch, tmp_path / "all", "--test-dir", voxceleb1)
    assert find_trial_lists(tmp_path / "all/test").keys() == {"vox1_o", "vox1_e"}
    words = ["--test-dir", voxceleb1 / "vox1_test_wav", "--protocols", "E"]
    with pytest.raises(
        ValueError, match=r"utterances of trials_vox1_e have no audio in .*test_wav"
    ):
        prepare(monkeypatch, tmp_path / "d", *words)
    words = ["--test-dir", voxceleb1, "--identification-split", "iden_split.txt"]
    with pytest.raises(ValueError, match=r"--identification-split .*--corpus-dir"):
        prepare(monkeypatch, tmp_path / "d", *words)


def test_only_a_whole_word_test_marks_a_folder_of_test_speakers(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither `latest` nor `contest` is one."""
    write_tree(voxceleb1 / "latest/contest_1/vox2/dev/aac", VOX2_DEV)
    for i, (name, folder) in enumerate([("id00017", "Vox2-Test.aac"), ("id00018", "vox2/test")]):
        write_tree(voxceleb1 / folder, {name: [f"01dfn2spqyE/0000{i}"]})
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    assert utterances_of(tmp_path / "d/train") == ids_of(VOX2_DEV)


def test_test_speakers_of_voxceleb2_are_known_from_its_table(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As voxceleb_trainer leaves them: dev and test in one folder."""
    write_tree(voxceleb1 / "voxceleb2", VOX2_DEV | VOX2_TEST)
    (voxceleb1 / "vox2_meta.csv").write_text(VOX2_META, encoding="utf-8")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    assert utterances_of(tmp_path / "d/train") == ids_of(VOX2_DEV)
    assert read_table(tmp_path / "d/train/spk2gender") == {"id00012": "m", "id00015": "f"}


def test_other_layouts_are_refused_with_what_was_looked_for(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    write_speech(tmp_path / "flat", ["anna/1.wav", "anna/2.wav"])
    for name in ("missing", "empty", "flat"):
        with pytest.raises(ValueError, match=f"^{tmp_path}/{name}: .*<speaker id>/<video>/"):
            prepare(monkeypatch, tmp_path / "d", "--corpus-dir", tmp_path / name)
    (tmp_path / "hollow/id00012/21Uxsk56VDQ").mkdir(parents=True)
    words = ["--train-dir", tmp_path / "hollow", "--test-dir", voxceleb1]
    with pytest.raises(ValueError, match=r"/hollow: .*<speaker id>/<video>/"):
        prepare(monkeypatch, tmp_path / "d", *words)
    for speaker in (voxceleb1 / "vox1_test_wav/wav").iterdir():
        if speaker.name not in O_LIST:
            shutil.rmtree(speaker)
    words = ["--train-dir", voxceleb1 / "vox1_test_wav", "--test-dir", voxceleb1]
    with pytest.raises(ValueError, match=r"/vox1_test_wav: .*--train-dir"):
        prepare(monkeypatch, tmp_path / "d", *words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--corpus-dir.*--train-dir and --test-dir"),
        (["--train-dir", "."], "--corpus-dir.*--train-dir and --test-dir"),
        (["--corpus-dir", ".", "--train-list", "x"], "--train-list .*--train-dir"),
    ],
)
def test_half_a_choice_of_folders_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Sequence[str], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        prepare(monkeypatch, tmp_path / "d", *words)


def test_an_error_is_one_line_and_exit_1(tmp_path: Path) -> None:
    """As run.sh runs it: the package beside it is found from anywhere."""
    done = subprocess.run(
        [ROOT / "local/prepare_voxceleb.py", "d", "--corpus-dir", "missing", "--nj", "1"],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "pyscripts"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    _, error = done.stderr.splitlines()
    assert error.startswith(f"prepare_voxceleb.py: error: {tmp_path}/missing: ")


def test_links_are_followed_and_a_copy_of_the_tree_is_refused(
    both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev = both / "vox2_dev_aac/dev/aac"
    (dev / "id00015").rename(tmp_path / "disk2")
    (dev / "id00015").symlink_to(tmp_path / "disk2")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", both)
    assert utterances_of(tmp_path / "d/train") == ids_of(VOX2_DEV)
    shutil.copytree(dev / "id00012", both / "copy/id00012")
    with pytest.raises(ValueError, match="'id00012-21Uxsk56VDQ-00001'"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", both)


def test_the_walk_holds_one_folder_at_a_time(tmp_path: Path) -> None:
    """What lies in a folder is read when the walk gets there."""
    write_tree(tmp_path, VOX2_DEV)
    tree = trees.open_tree(tmp_path)
    walk = trees.list_audio(tree, trees.find_speakers(tree, {}))
    assert next(walk) == tmp_path / "id00012/21Uxsk56VDQ/00001.wav"
    (tmp_path / "id00012/2DLq_Kkc1r8/00017.wav").touch()
    (tmp_path / "id00099/abcdefghijk").mkdir(parents=True)
    (tmp_path / "id00015/0fijmz4vTVU/00001.wav").unlink()
    assert [str(path.relative_to(tmp_path)) for path in walk] == [
        "id00012/21Uxsk56VDQ/00002.wav",
        "id00012/2DLq_Kkc1r8/00016.wav",
        "id00012/2DLq_Kkc1r8/00017.wav",
        "id00015/0fijmz4vTVU/00002.wav",
    ]
