"""Imported trial lists: every published form, by the names it uses."""

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from deep_speaker.trials import importing
from deep_speaker.trials.importing import import_trials, read_known_trials
from deep_speaker.trials.lists import Trial
from support.drawn_trials import make_speakers


def test_trials_of_strangers_are_refused(tmp_path: Path) -> None:
    utt2spk = make_speakers(2, 2)
    (tmp_path / "trials_own").write_text("s00 s00-1 target\ns00-0 s01-0 nontarget\n")
    assert len(read_known_trials(tmp_path / "trials_own", utt2spk)) == 2
    (tmp_path / "trials_own").write_text("s00-0 s07-1 target\ns00-0 s01-0 nontarget\n")
    with pytest.raises(ValueError, match=r"/trials_own: 1 of 3 ids .*'s07-1'"):
        read_known_trials(tmp_path / "trials_own", utt2spk)


def test_known_ids_may_be_those_of_models(tmp_path: Path) -> None:
    (tmp_path / "trials_own").write_text("m1 s00-1 target\nm2 s01-0 nontarget\n")
    trials = read_known_trials(tmp_path / "trials_own", make_speakers(2, 2), {"m1": [], "m2": []})
    assert trials == [Trial("m1", "s00-1", True), Trial("m2", "s01-0", False)]
    with pytest.raises(ValueError, match=r"/trials_own: 1 of 4 ids .*'m2'"):
        read_known_trials(tmp_path / "trials_own", make_speakers(2, 2), ["m1"])


VOXCELEB = {
    f"{speaker}-{video}-{number}": speaker
    for speaker, video in (("id10270", "x6uYqmx31kE"), ("id10270", "-5r0dWxy17C8"), ("id1.5", "v"))
    for number in ("00001", "00002.5")
}
FIRST, SECOND = "id10270-x6uYqmx31kE-00001", "id10270--5r0dWxy17C8-00001"
EXPECTED = [Trial(FIRST, SECOND, True), Trial(FIRST, "id1.5-v-00002.5", False)]


@pytest.mark.parametrize(
    "lines",
    [
        # Kaldi
        f"{FIRST} {SECOND} target\n{FIRST} id1.5-v-00002.5 nontarget\n",
        # voxceleb_trainer and VoxCeleb
        "1 id10270/x6uYqmx31kE/00001.wav id10270/-5r0dWxy17C8/00001.wav\n"
        "0 id10270/x6uYqmx31kE/00001.wav id1.5/v/00002.5.wav\n",
        # WeSpeaker
        "id10270/x6uYqmx31kE/00001.wav id10270/-5r0dWxy17C8/00001.wav target\n"
        "id10270/x6uYqmx31kE/00001.wav id1.5/v/00002.5.wav nontarget\n",
        # Folders above, other suffixes or none, ids as file names, both kinds of label.
        f"1 /data/vox1/wav/id10270/x6uYqmx31kE/00001.m4a\t./wav/{SECOND}.flac \r\n\n"
        f"  nontarget {FIRST} id1.5/v/00002.5\n\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_published_forms_name_the_same_trials(lines: str, mark: str, tmp_path: Path) -> None:
    """With the byte order mark of Windows programs, too."""
    (tmp_path / "list.txt").write_text(mark + lines, encoding="utf-8")
    assert import_trials(tmp_path / "list.txt", VOXCELEB) == EXPECTED


def test_speakers_and_models_are_named_as_they_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """CN-Celeb's form; a path stands for no speaker or model, as a file is an utterance."""
    lines = "id1.5 id1.5/v/00001.wav 1\nid00800-enroll id1.5/v/00001.wav 0\n"
    (tmp_path / "list").write_text(lines)
    expected = [
        Trial("id1.5", "id1.5-v-00001", True),
        Trial("id00800-enroll", "id1.5-v-00001", False),
    ]
    assert import_trials(tmp_path / "list", VOXCELEB, ["id00800-enroll"]) == expected
    assert not caplog.records
    for unknown in ("wav/id10270.wav", "enroll/id00800-enroll.wav"):
        (tmp_path / "list").write_text(f"{lines}{unknown} id1.5/v/00001.wav 0\n")
        assert import_trials(tmp_path / "list", VOXCELEB, ["id00800-enroll"]) == expected
        assert f"{unknown}: " in caplog.text
        assert "1 of 3 trials " in caplog.text


def test_a_path_through_another_speaker_s_folder_names_nothing(tmp_path: Path) -> None:
    utt2spk = {"anna-1": "anna", "anna-2": "anna", "zoe-1": "zoe"}
    (tmp_path / "list").write_text(
        "1 x/anna/anna-1.wav anna/2.wav\n0 anna/1.wav zoe/1.wav\n1 zoe/anna-1.wav anna/2.wav\n"
    )
    assert import_trials(tmp_path / "list", utt2spk) == [
        Trial("anna-1", "anna-2", True),
        Trial("anna-1", "zoe-1", False),
    ]


def test_the_longest_path_that_is_an_id_is_meant(tmp_path: Path) -> None:
    utt2spk = dict.fromkeys(["b-1", "a-b-1", "a-b-1.5"], "a")
    (tmp_path / "list").write_text("x/a/b/1.wav x/b/1.wav 1\na/b/1.5 c/b/1.5 0\n")
    assert import_trials(tmp_path / "list", utt2spk) == [
        Trial("a-b-1", "b-1", True),
        Trial("a-b-1.5", "b-1", False),
    ]


def test_speakers_that_are_named_as_labels_leave_the_label_last(tmp_path: Path) -> None:
    utt2spk = {"0-a": "0", "1-a": "1"}
    (tmp_path / "list").write_text("1 1-a target\n0 1-a nontarget\n")
    assert import_trials(tmp_path / "list", utt2spk) == [
        Trial("1", "1-a", True),
        Trial("0", "1-a", False),
    ]


def test_trials_that_come_twice_are_kept_as_published(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("1 s00-0 s00-1\n0 s00-0 s01-0\n1 s00-0 s00-1\n")
    trials = import_trials(tmp_path / "list", make_speakers(2, 2))
    assert trials == [Trial("s00-0", "s00-1", True), Trial("s00-0", "s01-0", False), trials[0]]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("s00-0 s00-1 1\n\ns00-0 s01-0\n", "list, line 3: .*'s00-0 s01-0'$"),
        ("s00-0 s00-1 1 2\n", "list, line 1: .*'enroll test label'.*'s00-0 s00-1 1 2'$"),
        ("s00-0 s00-1 1\ns00-0 s00-1 0\n\n1 s00-0 s01-0\n", "list, line 4: .*'1 s00-0 s01-0'$"),
        ("1 s00-0 s00-1\n1 s00-0 s00-1\ns00-0 s01-0 0\n", "list, line 3: .*'s00-0 s01-0 0'$"),
        ("s00-0 s00-1 imp\n", "list, line 1: .*'s00-0 s00-1 imp'$"),
        ("s00-0 1 s00-1\n", "list, line 1: "),
        (" \n\n", "list: "),
        ("", "list: "),
    ],
)
def test_lists_of_no_known_form_are_refused_by_line(
    content: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "list").write_text(content)
    with pytest.raises(ValueError, match=told):
        import_trials(tmp_path / "list", make_speakers(2, 2))
    with pytest.raises(ValueError, match="/missing: "):
        import_trials(tmp_path / "missing", make_speakers(2, 2))


def test_names_of_another_corpus_are_counted_and_the_first_is_shown(tmp_path: Path) -> None:
    lines = "1 id1/v/1.wav s00-0\n0 id1/v/1.wav s01/9.wav\n1 s00-0 s00-1\n"
    (tmp_path / "list").write_text(lines)
    with pytest.raises(
        ValueError,
        match=r"^2 of 4 names in .*/list .*'s00-0'.* id1/v/1\.wav: ",
    ):
        import_trials(tmp_path / "list", make_speakers(2, 2))


def test_names_are_resolved_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    utt2spk = make_speakers(*[10] * 30)
    names = [key.replace("-", "/") + ".wav" for key in utt2spk]
    chosen = np.random.default_rng(0).integers(len(names), size=(5000, 2)).tolist()
    (tmp_path / "list").write_text(
        "".join(f"{n % 2} {names[i]} {names[j]}\n" for n, (i, j) in enumerate(chosen))
    )
    find = Mock(side_effect=importing.find_id)
    monkeypatch.setattr(importing, "find_id", find)
    trials = import_trials(tmp_path / "list", utt2spk)
    keys = list(utt2spk)
    assert [trial[:2] for trial in trials] == [(keys[i], keys[j]) for i, j in chosen]
    assert sorted(call.args[0] for call in find.mock_calls) == sorted(names)


@pytest.mark.parametrize("label", ["0", "1"])
def test_a_list_of_one_kind_measures_nothing(label: str, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{label} s00-0 s00-1\n{label} s00-0 s01-1\n")
    with pytest.raises(ValueError, match="/list: target and nontarget"):
        import_trials(tmp_path / "list", make_speakers(2, 2))
