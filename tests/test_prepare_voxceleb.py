"""Stage 0 for VoxCeleb, on tiny trees in its published layouts."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import imageio_ffmpeg
import pytest

import kaldi_checks
import prepare_voxceleb
from deep_speaker.tables import read_table
from deep_speaker.trials import Trial, find_trial_lists
from speech import make_speech, snapshot, write_audio, write_speech
from voxceleb import lists, trees

ROOT = Path(__file__).parents[1]
VOX1_DEV = {
    "id10001": ["1zcIwhmdeo4/00001", "1zcIwhmdeo4/00002", "-J_R1zcIwh4/00001"],
    "id10002": ["0_laIeN-Q44/00001", "6WO410QOeuo/00003"],
}
VOX1_TEST = {
    "id10270": ["x6uYqmx31kE/00001", "8jEAjG6SegY/00008"],
    "id10271": ["1gtz-CUIygI/00001", "37nktPRUJ58/00001"],
    "id10272": ["-9joBDRrjSI/00001", "-9joBDRrjSI/00002"],
}
VOX2_DEV = {
    "id00012": ["21Uxsk56VDQ/00001", "21Uxsk56VDQ/00002", "2DLq_Kkc1r8/00016"],
    "id00015": ["0fijmz4vTVU/00001", "0fijmz4vTVU/00002"],
}
VOX2_TEST = {"id00017": ["01dfn2spqyE/00001", "7t6lfzvVaTM/00001"]}
O_LIST = """1 id10270/x6uYqmx31kE/00001.wav id10270/8jEAjG6SegY/00008.wav
0 id10270/x6uYqmx31kE/00001.wav id10271/1gtz-CUIygI/00001.wav
1 id10271/1gtz-CUIygI/00001.wav id10271/37nktPRUJ58/00001.wav
0 id10271/37nktPRUJ58/00001.wav id10270/8jEAjG6SegY/00008.wav
"""
O_TRIALS = [
    "id10270-x6uYqmx31kE-00001 id10270-8jEAjG6SegY-00008 target",
    "id10270-x6uYqmx31kE-00001 id10271-1gtz-CUIygI-00001 nontarget",
    "id10271-1gtz-CUIygI-00001 id10271-37nktPRUJ58-00001 target",
    "id10271-37nktPRUJ58-00001 id10270-8jEAjG6SegY-00008 nontarget",
]
E_LIST = """1 id10001/1zcIwhmdeo4/00001.wav id10001/-J_R1zcIwh4/00001.wav
0 id10002/6WO410QOeuo/00003.wav id10270/x6uYqmx31kE/00001.wav
"""
OLD_LIST = """1 Eartha_Kitt/x6uYqmx31kE_0000001.wav Eartha_Kitt/8jEAjG6SegY_0000008.wav
0 Eartha_Kitt/x6uYqmx31kE_0000001.wav Ed_Westwick/1gtz-CUIygI_0000001.wav
1 Ed_Westwick/1gtz-CUIygI_0000001.wav Ed_Westwick/37nktPRUJ58_0000001.wav
0 Ed_Westwick/37nktPRUJ58_0000001.wav Eartha_Kitt/8jEAjG6SegY_0000008.wav
"""
VOX1_META = """VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet
id10001\tA.J._Buckley\tm\tIreland\tdev
id10002\tA.R._Rahman\tm\tTrinidad and Tobago\tdev
id10270\tEartha_Kitt\tf\tUSA\ttest
id10271\tEd_Westwick\tm\tUK\ttest
id10272\tEddie_Griffin\tm\tUSA\ttest
"""
VOX2_META = """\ufeffVoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set 
id00012 ,n000012 ,m ,dev 
id00015 ,n000015 ,f ,dev 
id00017 ,n000017 ,m ,test 
"""  # noqa: W291  # as published


def write_tree(folder: Path, speakers: dict[str, list[str]]) -> None:
    write_speech(folder, [f"{key}/{name}.wav" for key, names in speakers.items() for name in names])


def ids_of(*parts: dict[str, list[str]]) -> set[str]:
    return {
        f"{speaker}-{name.replace('/', '-')}"
        for part in parts
        for speaker, names in part.items()
        for name in names
    }


@pytest.fixture
def voxceleb1(tmp_path: Path) -> Path:
    """VoxCeleb1, each archive unpacked to a folder of its name."""
    folder = tmp_path / "VoxCeleb"
    write_tree(folder / "vox1_dev_wav/wav", VOX1_DEV)
    write_tree(folder / "vox1_test_wav/wav", VOX1_TEST)
    (folder / "veri_test.txt").write_text(O_LIST)
    return folder


@pytest.fixture
def both(voxceleb1: Path) -> Path:
    """VoxCeleb2 too, converted to WAV."""
    write_tree(voxceleb1 / "vox2_dev_aac/dev/aac", VOX2_DEV)
    write_tree(voxceleb1 / "vox2_test_aac/aac", VOX2_TEST)
    return voxceleb1


def prepare(monkeypatch: pytest.MonkeyPatch, output: Path, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["prepare_voxceleb.py", *map(str, [output, *words])])
    trees.require_ffmpeg.cache_clear()
    prepare_voxceleb.main()


def utterances_of(data_dir: Path) -> set[str]:
    return set(read_table(data_dir / "utt2spk"))


def read_lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


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
    with pytest.raises(ValueError, match=r"no list_test_hard\.txt in .*--lists"):
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
    assert "Vox1-E-cleaned left out: they test speakers who train" in caplog.text
    before = snapshot(tmp_path / "d")
    with pytest.raises(ValueError, match="Vox1-E-cleaned tests the speakers of VoxCeleb1 who"):
        words = ["--corpus-dir", voxceleb1, "--protocols", "O", "E-cleaned"]
        prepare(monkeypatch, tmp_path / "d", *words)
    (voxceleb1 / "veri_test.txt").unlink()
    with pytest.raises(ValueError, match="Vox1-E-cleaned: all lists there are test the speakers"):
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


def test_only_a_whole_word_test_holds_out_the_speakers_of_a_folder(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither `latest` nor `contest` is one."""
    write_tree(voxceleb1 / "latest/contest_1/vox2/dev/aac", VOX2_DEV)
    for i, (name, folder) in enumerate([("id00017", "Vox2-Test.aac"), ("id00018", "vox2/test")]):
        write_tree(voxceleb1 / folder, {name: [f"01dfn2spqyE/0000{i}"]})
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    assert utterances_of(tmp_path / "d/train") == ids_of(VOX2_DEV)


def test_lists_and_tables_lie_in_the_tree_or_the_folder_around_it(
    voxceleb1: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The nearest is taken, the log says which, and what lies further up changes nothing."""
    caplog.set_level(logging.INFO)
    tree = tmp_path / "corpora/voices"
    tree.parent.mkdir()
    voxceleb1.rename(tree)
    for folder in (tmp_path, tmp_path / "meta", tree / "vox1"):
        folder.mkdir(exist_ok=True)
        (folder / "vox1_meta.csv").write_text("damaged\n")
        (folder / "list_test_all.txt").write_text("damaged\n")
    (tree / "veri_test.txt").unlink()
    for place in ("corpora/lists", "corpora/voices/trials"):  # the nearest last
        (tmp_path / place).mkdir()
        (tmp_path / place / "veri_test.txt").write_text(O_LIST)
        (tmp_path / place / "vox1_meta.csv").write_text(VOX1_META)
        caplog.clear()
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", tree)
        told = [line for line in caplog.messages if line.startswith(f"{tmp_path / place}/")]
        assert told == [
            f"{tmp_path / place}/vox1_meta.csv: what is known of the speakers",
            f"{tmp_path / place}/veri_test.txt: 4 trials",
        ]
        assert find_trial_lists(tmp_path / "d/test").keys() == {"vox1_o"}
        assert read_table(tmp_path / "d/test/spk2gender") == {"id10270": "f", "id10271": "m"}


def test_test_speakers_of_voxceleb2_are_known_from_its_table(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As voxceleb_trainer leaves them: dev and test in one folder."""
    write_tree(voxceleb1 / "voxceleb2", VOX2_DEV | VOX2_TEST)
    (voxceleb1 / "vox2_meta.csv").write_text(VOX2_META, encoding="utf-8")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    assert utterances_of(tmp_path / "d/train") == ids_of(VOX2_DEV)
    assert read_table(tmp_path / "d/train/spk2gender") == {"id00012": "m", "id00015": "f"}


@pytest.mark.parametrize("separator", ["\t", ",", " ", " ,"])
def test_sexes_come_from_the_tables_in_any_form(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, separator: str
) -> None:
    text = VOX1_META.replace("Trinidad and Tobago", "India").replace("\t", separator)
    (voxceleb1 / "vox1_meta.csv").write_text(text)
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    assert read_table(tmp_path / "d/test/spk2gender") == {"id10270": "f", "id10271": "m"}
    assert set(read_table(tmp_path / "d/train/spk2gender").values()) == {"m"}


def test_a_table_may_lack_its_heading(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As spreadsheets save it, with a byte order mark."""
    _, text = VOX1_META.replace("\t", ",").split("\n", 1)
    (voxceleb1 / "vox1_meta.csv").write_text(text, encoding="utf-8-sig")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    assert read_table(tmp_path / "d/train/spk2gender").keys() == {"id10001", "id10002", "id10272"}


@pytest.mark.parametrize("line", ["id10003\tAdam_Scott", "id10003\tAdam_Scott\tX\tUSA\tdev", "x"])
def test_a_damaged_table_is_one_clear_error(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    (voxceleb1 / "vox1_meta.csv").write_text(VOX1_META + line + "\n")
    with pytest.raises(ValueError, match=r"vox1_meta\.csv, line 7: expected 'id name m\|f"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)


@pytest.fixture
def first_release(tmp_path: Path) -> Path:
    """Kaldi's make_voxceleb1.pl: flat folders, of names and in part already of ids."""
    folder = tmp_path / "old"
    names = {
        "A.J._Buckley": ["1zcIwhmdeo4_0000001", "-J_R1zcIwh4_0000001"],
        "id10002": ["0_laIeN-Q44_0000001"],
        "Eartha_Kitt": ["x6uYqmx31kE_0000001", "8jEAjG6SegY_0000008"],
        "Ed_Westwick": ["1gtz-CUIygI_0000001", "37nktPRUJ58_0000001"],
    }
    write_tree(folder / "voxceleb1_wav", names)
    return folder


def test_the_first_release_gets_ids_from_vox1_meta(
    first_release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tree of names with a list of ids."""
    (first_release / "vox1_meta.csv").write_text(VOX1_META)
    (first_release / "voxceleb1_test_v2.txt").write_text(O_LIST)
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", first_release)
    assert read_lines(tmp_path / "d/test/trials_vox1_o") == O_TRIALS
    assert utterances_of(tmp_path / "d/train") == {
        "id10001-1zcIwhmdeo4-00001",
        "id10001--J_R1zcIwh4-00001",
        "id10002-0_laIeN-Q44-00001",
    }
    assert read_table(tmp_path / "d/test/spk2gender") == {"id10270": "f", "id10271": "m"}


def test_names_are_known_in_trees_by_video_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"A.J._Buckley": VOX1_DEV["id10001"], "Eartha_Kitt": VOX1_TEST["id10270"]}
    write_tree(tmp_path / "wav", names | {"Ed_Westwick": VOX1_TEST["id10271"]})
    (tmp_path / "vox1_meta.csv").write_text(VOX1_META)
    (tmp_path / "veri_test.txt").write_text(O_LIST)
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", tmp_path)
    assert utterances_of(tmp_path / "d/train") == ids_of({"id10001": VOX1_DEV["id10001"]})
    assert read_lines(tmp_path / "d/test/trials_vox1_o") == O_TRIALS


def test_lists_of_the_first_release_fit_trees_of_today(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (voxceleb1 / "veri_test.txt").unlink()
    (voxceleb1 / "voxceleb1_test.txt").write_text(OLD_LIST)
    with pytest.raises(
        ValueError,
        match=r"4 of 4 utterances of .*voxceleb1_test\.txt have no audio in .*, first "
        r"'Eartha_Kitt-8jEAjG6SegY-00008'; .*vox1_meta\.csv",
    ):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    (voxceleb1 / "vox1_meta.csv").write_text(VOX1_META)
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    assert read_lines(tmp_path / "d/test/trials_vox1_o") == O_TRIALS


def test_the_first_release_keeps_its_names_without_vox1_meta(
    first_release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first_release / "voxceleb1_test.txt").write_text(OLD_LIST)
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", first_release)
    assert read_lines(tmp_path / "d/test/trials_vox1_o")[1] == (
        "Eartha_Kitt-x6uYqmx31kE-00001 Ed_Westwick-1gtz-CUIygI-00001 nontarget"
    )
    assert set(read_table(tmp_path / "d/train/spk2utt")) == {"A.J._Buckley", "id10002"}


def test_lists_of_voxceleb_trainer_are_taken_as_they_are(
    both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    train_list, test_list = tmp_path / "train_list.txt", tmp_path / "test_list.txt"
    train_list.write_text(
        "id00012 id00012/21Uxsk56VDQ/00002.wav\nid00015 id00015/0fijmz4vTVU/00001.wav\n"
    )
    test_list.write_text(O_LIST)
    words = ["--train-dir", both / "vox2_dev_aac/dev/aac", "--train-list", train_list]
    words += ["--test-dir", both / "vox1_test_wav/wav", "--test-list", test_list]
    prepare(monkeypatch, tmp_path / "d", *words)
    assert utterances_of(tmp_path / "d/train") == {
        "id00012-21Uxsk56VDQ-00002",
        "id00015-0fijmz4vTVU-00001",
    }
    assert read_lines(tmp_path / "d/test/trials") == O_TRIALS
    assert f"{train_list}: 2 utterances" in caplog.messages
    assert f"{test_list}: 4 trials" in caplog.messages

    train_list.write_text(
        "id00012 id00012/21Uxsk56VDQ/00001.wav\n"
        + "".join(f"id00012 id00012/21Uxsk56VDQ/{i:05}.wav\n" for i in (7, 8))
    )
    with pytest.raises(ValueError, match=r"2 of 3 utterances of .*train_list\.txt have no audio"):
        prepare(monkeypatch, tmp_path / "d", *words)
    train_list.write_text("id00012 id00015/0fijmz4vTVU/00001.wav\n")
    with pytest.raises(ValueError, match=r"train_list\.txt, line 1: expected 'id00012 id00012/21U"):
        prepare(monkeypatch, tmp_path / "d", *words)


def test_closed_set_identification_follows_the_split(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every speaker has training and, for two models and their tests, four test utterances."""
    more = {key: [f"abcdefghij{i}/00001" for i in range(4)] for key in VOX1_DEV | VOX1_TEST}
    write_tree(voxceleb1 / "vox1_dev_wav/wav", more)
    split = tmp_path / "iden_split.txt"
    lines = [f"{1 + i % 2} {key}/{name}.wav" for key, names in (VOX1_DEV | VOX1_TEST).items()
             for i, name in enumerate(names)]  # fmt: skip
    lines += [f"3 {key}/{name}.wav" for key, names in more.items() for name in names]
    split.write_text("\n".join(lines) + "\n")
    words = ["--corpus-dir", voxceleb1, "--identification-split", split]
    prepare(monkeypatch, tmp_path / "d", *words)
    assert utterances_of(tmp_path / "d/train") == ids_of(VOX1_DEV, VOX1_TEST)
    assert utterances_of(tmp_path / "d/test") == ids_of(more)
    # 5 speakers, 1 utterance each in a model, 3 tests against 5 models.
    trials = read_lines(tmp_path / "d/test/trials_identification")
    assert len(trials) == 5 * 3 * 5
    assert sum(line.endswith(" target") for line in trials) == 15
    prepare(monkeypatch, tmp_path / "d", *words, "--max-trials", 14)
    assert len(read_lines(tmp_path / "d/test/trials_identification")) == 2 * 5
    split.write_text("\n".join([*lines, *lines]))  # twice in the same part
    prepare(monkeypatch, tmp_path / "d", *words)
    file = f"id10001/{more['id10001'][0]}.wav"
    split.write_text("\n".join([*lines, f"2 {file}"]))
    with pytest.raises(
        ValueError,
        match=rf"iden_split\.txt, line {len(lines) + 1}: {file} is in part 2, and in another",
    ):
        prepare(monkeypatch, tmp_path / "d", *words)
    split.write_text("4 id10001/1zcIwhmdeo4/00001.wav\n")
    with pytest.raises(ValueError, match=r"iden_split\.txt, line 1: expected '1\|2\|3 id10003"):
        prepare(monkeypatch, tmp_path / "d", *words)


def test_little_missing_or_broken_audio_is_left_out_with_its_trials(
    both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    videos = {"id10270": [f"abcdefghijk/{i:05}" for i in range(60)]}
    write_tree(both / "vox1_test_wav/wav", videos)
    extra = "".join(f"1 id10270/abcdefghijk/{i:05}.wav id10270/x6uYqmx31kE/00001.wav\n"
                    for i in range(60))  # fmt: skip
    (both / "veri_test.txt").write_text(O_LIST + extra)
    (both / "vox1_test_wav/wav/id10270/abcdefghijk/00003.wav").unlink()
    (both / "vox1_test_wav/wav/id10270/abcdefghijk/00004.wav").write_bytes(b"RIFF")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", both)
    assert "1 of 64 utterances of" in caplog.text
    assert "trials_vox1_o: 2 of 64 trials left out" in caplog.text
    trials = read_lines(tmp_path / "d/test/trials_vox1_o")
    assert trials[:4] == O_TRIALS
    assert len(trials) == 62
    assert len(utterances_of(tmp_path / "d/test")) == 62
    for i in (5, 6, 7):
        (both / f"vox1_test_wav/wav/id10270/abcdefghijk/0000{i}.wav").unlink()
    before = snapshot(tmp_path / "d")
    with pytest.raises(
        ValueError, match=r"4 of 64 utterances of .*veri_test\.txt have no audio in"
    ):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", both)
    assert snapshot(tmp_path / "d") == before


@pytest.fixture
def ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a real ffmpeg on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return str(folder / "ffmpeg")


@pytest.fixture
def without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PATH", str(tmp_path))
    yield
    trees.require_ffmpeg.cache_clear()


def make_m4a(ffmpeg: str, folder: Path) -> None:
    """Turn all WAV files below a folder into M4A."""
    for path in folder.rglob("*.wav"):
        target = path.with_suffix(".m4a")
        subprocess.run([ffmpeg, "-v", "error", "-i", path, "-c:a", "aac", target], check=True)
        path.unlink()


def test_m4a_stands_as_a_command_of_ffmpeg(
    both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ffmpeg: str
) -> None:
    folder = both / "vox2_dev_aac/dev/aac"
    durations = {
        path.stem: len(make_speech(0, 0.25 + 0.01 * i)) / 16000
        for i, path in enumerate(sorted(folder.rglob("*.wav")))
    }
    assert len(durations) == 3
    make_m4a(ffmpeg, folder)
    write_tree(folder, {"id00012": ["21Uxsk56VDQ/00001"]})  # this one is converted
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", both)
    assert utterances_of(tmp_path / "d/train") == ids_of(VOX2_DEV)
    wav_scp = read_table(tmp_path / "d/train/wav.scp")
    assert wav_scp["id00012-21Uxsk56VDQ-00001"] == f"{folder}/id00012/21Uxsk56VDQ/00001.wav"
    path = folder / "id00015/0fijmz4vTVU/00002.m4a"
    entry = f"ffmpeg -v error -i {path} -f wav -acodec pcm_s16le - |"
    assert wav_scp["id00015-0fijmz4vTVU-00002"] == entry
    found = float(read_table(tmp_path / "d/train/utt2dur")["id00015-0fijmz4vTVU-00002"])
    assert 0.25 <= found <= 0.45  # AAC pads to whole frames of 64 ms

    train_list = tmp_path / "train_list.txt"
    train_list.write_text("id00015 id00015/0fijmz4vTVU/00002.wav\n")
    words = ["--train-dir", folder, "--test-dir", both, "--train-list", train_list]
    prepare(monkeypatch, tmp_path / "d", *words)
    assert read_table(tmp_path / "d/train/wav.scp") == {"id00015-0fijmz4vTVU-00002": entry}


@pytest.mark.usefixtures("without_ffmpeg")
def test_m4a_without_ffmpeg_is_refused_before_anything_is_read(
    both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (both / "vox2_dev_aac").rglob("*.wav"):
        path.rename(path.with_suffix(".m4a"))
    monkeypatch.setattr(prepare_voxceleb, "make_utterances", lambda *_: pytest.fail("too late"))
    with pytest.raises(
        ValueError, match=r"no ffmpeg on the PATH .*download_voxceleb\.py --convert"
    ):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", both)
    assert not (tmp_path / "d").exists()


def test_other_layouts_are_told_what_was_looked_for(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    write_speech(tmp_path / "flat", ["anna/1.wav", "anna/2.wav"])
    for name, told in (
        ("missing", "missing: no such folder; looked for <speaker id>/<video>/"),
        ("empty", "empty: no speakers to train; looked for <speaker id>/<video>/"),
        ("flat", "flat: no speakers to train; looked for <speaker id>/<video>/"),
    ):
        with pytest.raises(ValueError, match=told):
            prepare(monkeypatch, tmp_path / "d", "--corpus-dir", tmp_path / name)
    (tmp_path / "hollow/id00012/21Uxsk56VDQ").mkdir(parents=True)
    words = ["--train-dir", tmp_path / "hollow", "--test-dir", voxceleb1]
    with pytest.raises(ValueError, match="hollow: no audio of speakers who are not tested; looked"):
        prepare(monkeypatch, tmp_path / "d", *words)
    for speaker in (voxceleb1 / "vox1_test_wav/wav").iterdir():
        if speaker.name not in O_LIST:
            shutil.rmtree(speaker)
    words = ["--train-dir", voxceleb1 / "vox1_test_wav", "--test-dir", voxceleb1]
    with pytest.raises(ValueError, match="test_wav: all of its speakers are tested: name a tree"):
        prepare(monkeypatch, tmp_path / "d", *words)


def test_a_missing_list_is_one_clear_error(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (voxceleb1 / "veri_test.txt").unlink()
    with pytest.raises(
        ValueError, match=r"no veri_test\.txt, .*download_voxceleb\.py FOLDER --lis"
    ):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    (voxceleb1 / "veri_test.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"veri_test\.txt: no trials"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    with pytest.raises(ValueError, match=r"nowhere: no such folder"):
        words = ["--corpus-dir", voxceleb1, "--lists", tmp_path / "nowhere"]
        prepare(monkeypatch, tmp_path / "d", *words)
    with pytest.raises(ValueError, match=r"mine\.txt: no such list"):
        words = ["--corpus-dir", voxceleb1, "--test-list", tmp_path / "mine.txt"]
        prepare(monkeypatch, tmp_path / "d", *words)


def test_lists_are_read_with_one_string_for_each_utterance(tmp_path: Path) -> None:
    """Half a million lines a list: 80 bytes a trial, not 300."""
    paths = [tmp_path / "veri_test.txt", tmp_path / "list_test_all.txt"]
    for path in paths:
        path.write_text(O_LIST)
    read = lists.read_trial_lists(paths, {"id10271": "id10299"})
    assert read.keys() == {"trials_vox1_o", "trials_vox1_e"}
    assert read["trials_vox1_o"] == read["trials_vox1_e"] == [
        Trial("id10270-x6uYqmx31kE-00001", "id10270-8jEAjG6SegY-00008", True),
        Trial("id10270-x6uYqmx31kE-00001", "id10299-1gtz-CUIygI-00001", False),
        Trial("id10299-1gtz-CUIygI-00001", "id10299-37nktPRUJ58-00001", True),
        Trial("id10299-37nktPRUJ58-00001", "id10270-8jEAjG6SegY-00008", False),
    ]  # fmt: skip
    assert len({id(key) for trials in read.values() for trial in trials for key in trial[:2]}) == 4


@pytest.mark.parametrize(
    "line", ["2 a/b/c.wav a/b/d.wav", "1 id10270/x6uYqmx31kE/00001.wav", "1 one.wav two.wav"]
)
def test_a_damaged_list_is_one_clear_error(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    (voxceleb1 / "veri_test.txt").write_text(O_LIST + line + "\n")
    with pytest.raises(ValueError, match=r"veri_test\.txt, line 5: expected '1\|0 id10270/"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "needs --corpus-dir, or both --train-dir and --test-dir"),
        (["--train-dir", "."], "needs --corpus-dir, or both --train-dir and --test-dir"),
        (["--corpus-dir", ".", "--train-list", "x"], "--train-list names files below --train-dir"),
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
    assert error.startswith(f"prepare_voxceleb.py: error: {tmp_path}/missing: no such folder; look")


def test_links_are_followed_and_a_copy_of_the_tree_is_refused(
    both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev = both / "vox2_dev_aac/dev/aac"
    (dev / "id00015").rename(tmp_path / "disk2")
    (dev / "id00015").symlink_to(tmp_path / "disk2")
    prepare(monkeypatch, tmp_path / "d", "--corpus-dir", both)
    assert utterances_of(tmp_path / "d/train") == ids_of(VOX2_DEV)
    shutil.copytree(dev / "id00012", both / "copy/id00012")
    with pytest.raises(ValueError, match="'id00012-21Uxsk56VDQ-00001' comes twice"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", both)


def test_the_walk_holds_one_folder_at_a_time(tmp_path: Path) -> None:
    """What lies in a folder is read when the walk gets there."""
    write_tree(tmp_path, VOX2_DEV)
    walk = trees.list_audio(trees.find_speakers(tmp_path, {}))
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
