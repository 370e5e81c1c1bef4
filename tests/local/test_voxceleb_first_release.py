"""Stage 0 for VoxCeleb1 as first released: flat folders and names."""

from pathlib import Path

import pytest

from deep_speaker.kaldi.tables import read_table
from support.voxceleb_trees import (
    O_LIST,
    O_TRIALS,
    OLD_LIST,
    VOX1_DEV,
    VOX1_META,
    VOX1_TEST,
    ids_of,
    prepare,
    read_lines,
    utterances_of,
    write_tree,
)


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
        match=r"^4 of 4 utterances .*/voxceleb1_test\.txt .*"
        r"'Eartha_Kitt-8jEAjG6SegY-00008'.*vox1_meta\.csv",
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
