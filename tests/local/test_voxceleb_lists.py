"""Stage 0 for VoxCeleb: published lists and tables, and lists of voxceleb_trainer."""

import logging
from pathlib import Path

import pytest

from deep_speaker.kaldi.tables import read_table
from deep_speaker.trials.lists import Trial, find_trial_lists
from support.speech import snapshot
from support.voxceleb_trees import (
    O_LIST,
    O_TRIALS,
    VOX1_DEV,
    VOX1_META,
    VOX1_TEST,
    ids_of,
    prepare,
    read_lines,
    utterances_of,
    write_tree,
)
from voxceleb import lists


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
        logged = [line for line in caplog.messages if line.startswith(f"{tmp_path / place}/")]
        meta, trials = logged
        assert meta.startswith(f"{tmp_path / place}/vox1_meta.csv: ")
        assert trials == f"{tmp_path / place}/veri_test.txt: 4 trials"
        assert find_trial_lists(tmp_path / "d/test").keys() == {"vox1_o"}
        assert read_table(tmp_path / "d/test/spk2gender") == {"id10270": "f", "id10271": "m"}


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
    with pytest.raises(ValueError, match=r"/vox1_meta\.csv, line 7: .*'id name m\|f"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)


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
    with pytest.raises(ValueError, match=r"^2 of 3 utterances .*/train_list\.txt "):
        prepare(monkeypatch, tmp_path / "d", *words)
    train_list.write_text("id00012 id00015/0fijmz4vTVU/00001.wav\n")
    with pytest.raises(ValueError, match=r"/train_list\.txt, line 1: .*'id00012 id00015/"):
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
        match=rf"/iden_split\.txt, line {len(lines) + 1}: {file} .*part 2",
    ):
        prepare(monkeypatch, tmp_path / "d", *words)
    split.write_text("4 id10001/1zcIwhmdeo4/00001.wav\n")
    with pytest.raises(ValueError, match=r"/iden_split\.txt, line 1: .*'4 id10001/"):
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
    with pytest.raises(ValueError, match=r"^4 of 64 utterances .*/veri_test\.txt "):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", both)
    assert snapshot(tmp_path / "d") == before


def test_a_missing_list_is_one_clear_error(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (voxceleb1 / "veri_test.txt").unlink()
    with pytest.raises(ValueError, match=r"veri_test\.txt, .*download_voxceleb\.py FOLDER --lists"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    (voxceleb1 / "veri_test.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"/veri_test\.txt: "):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)
    with pytest.raises(ValueError, match=r"^--lists .*/nowhere: "):
        words = ["--corpus-dir", voxceleb1, "--lists", tmp_path / "nowhere"]
        prepare(monkeypatch, tmp_path / "d", *words)
    with pytest.raises(ValueError, match=r"/mine\.txt: "):
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
    with pytest.raises(ValueError, match=r"/veri_test\.txt, line 5: .*'1\|0 id10270/"):
        prepare(monkeypatch, tmp_path / "d", "--corpus-dir", voxceleb1)


def test_a_byte_order_mark_hides_no_first_line(
    voxceleb1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In trial lists, tables of speakers without a heading, and training lists."""
    (voxceleb1 / "veri_test.txt").write_text(f"\ufeff{O_LIST}", encoding="utf-8")
    meta = "".join(line for line in VOX1_META.splitlines(keepends=True) if line.startswith("id"))
    (voxceleb1 / "vox1_meta.csv").write_text(f"\ufeff{meta}", encoding="utf-8")
    train_list = tmp_path / "train_list.txt"
    names = [f"{key} {key}/{name}.wav\n" for key, files in VOX1_DEV.items() for name in files]
    train_list.write_text("\ufeff" + "".join(names), encoding="utf-8")
    words = ["--train-dir", voxceleb1 / "vox1_dev_wav/wav", "--test-dir", voxceleb1]
    prepare(monkeypatch, tmp_path / "d", *words, "--train-list", train_list)
    assert utterances_of(tmp_path / "d/train") == ids_of(VOX1_DEV)
    assert read_lines(tmp_path / "d/test/trials_vox1_o") == O_TRIALS
    assert read_table(tmp_path / "d/train/spk2gender").keys() == VOX1_DEV.keys()
