"""Trial lists: every published form, by the names it uses; and what leaves them."""

from collections import defaultdict
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from deep_speaker.kaldi.data_dir import write_spk2utt
from deep_speaker.trials import importing
from deep_speaker.trials.importing import import_trials, read_known_trials
from deep_speaker.trials.lists import Trial, find_trial_lists, read_trials, write_trials
from deep_speaker.trials.models import read_models, write_models
from deep_speaker.trials.protocols import draw_identification, draw_one_plus_99, draw_trials
from deep_speaker.trials.removal import remove_from_trials


def make_speakers(*sizes: int) -> dict[str, str]:
    """utt2spk of speakers s00, s01, ... with so many utterances each."""
    return {f"s{i:02}-{j}": f"s{i:02}" for i, size in enumerate(sizes) for j in range(size)}


def draw(utt2spk: dict[str, str]) -> list[Trial]:
    return draw_trials(utt2spk, "all", 10**6, np.random.default_rng(0))


def count_targets(trials: list[Trial]) -> int:
    return sum(trial.target for trial in trials)


def anchors_of(trials: list[Trial]) -> dict[str, list[Trial]]:
    anchors = defaultdict(list)
    for trial in trials:
        anchors[trial.enroll].append(trial)
    return anchors


def test_lists_are_written_in_kaldi_s_form_and_read_back(tmp_path: Path) -> None:
    trials = [Trial("a-1", "é-2", False), Trial("a-1", "a-2", True)]
    write_trials(tmp_path / "trials", trials)
    assert (tmp_path / "trials").read_text(encoding="utf-8") == (
        "a-1 é-2 nontarget\na-1 a-2 target\n"
    )
    assert read_trials(tmp_path / "trials") == trials


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a b target\na b\n", r"trials, line 2: expected .*'a b\\n'"),
        ("a b 1\n", "trials, line 1: expected"),
        ("a b target c\n", "trials, line 1: expected"),
        ("a b target\n\n", "trials, line 2: expected"),
        ("", "no trials"),
    ],
)
def test_a_list_of_another_form_is_refused_by_line(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "trials").write_text(content)
    with pytest.raises(ValueError, match=told):
        read_trials(tmp_path / "trials")
    with pytest.raises(ValueError, match="missing is missing: run stage 0"):
        read_trials(tmp_path / "missing")


def test_removed_utterances_take_their_trials_and_anchors_with_them(tmp_path: Path) -> None:
    utt2spk = make_speakers(3, 3, 3, 3)
    pairs = draw(utt2spk)
    anchors = draw_one_plus_99(utt2spk, 10**6, np.random.default_rng(0))
    write_trials(tmp_path / "trials", pairs)
    write_trials(tmp_path / "trials_one_plus_99", anchors)
    unwanted = {"s00-0", "s02-1"}
    remove_from_trials(tmp_path, unwanted)
    assert read_trials(tmp_path / "trials") == [
        trial for trial in pairs if not unwanted & {trial.enroll, trial.test}
    ]
    kept = anchors_of(read_trials(tmp_path / "trials_one_plus_99"))
    positives = {trial.enroll: trial.test for trial in anchors if trial.target}
    assert kept.keys() == {
        anchor for anchor, positive in positives.items() if not unwanted & {anchor, positive}
    }
    for anchor, met in kept.items():
        assert [trial.test for trial in met if trial.target] == [positives[anchor]]
        assert not {trial.test for trial in met} & unwanted


def test_a_training_set_without_lists_gets_none(tmp_path: Path) -> None:
    remove_from_trials(tmp_path, {"s00-0"})
    assert not list(tmp_path.iterdir())


def test_lists_are_found_by_name_each_before_its_one_plus_99(tmp_path: Path) -> None:
    names = ("trials_b_one_plus_99", "trials_b", "trials_b_c", "trials", "trials_one_plus_99")
    for name in (*names, "trials_half.partial", "trial", "trialsx", "wav.scp"):
        (tmp_path / name).touch()
    (tmp_path / "trials_folder").mkdir()
    assert [(name, path.name) for name, path in find_trial_lists(tmp_path).items()] == [
        ("trials", "trials"),
        ("one_plus_99", "trials_one_plus_99"),
        ("b", "trials_b"),
        ("b_one_plus_99", "trials_b_one_plus_99"),
        ("b_c", "trials_b_c"),
    ]
    (tmp_path / "trials_trials").touch()
    with pytest.raises(ValueError, match=r"trials_trials would both be 'trials' in the results"):
        find_trial_lists(tmp_path)


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_a_folder_without_lists_names_the_stage_that_makes_them(
    folder: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="trials is missing: run stage 0 first"):
        find_trial_lists(tmp_path / folder)


def test_every_list_loses_the_removed_utterances(tmp_path: Path) -> None:
    utt2spk = make_speakers(3, 3, 3)
    anchors = draw_one_plus_99(utt2spk, 10**6, np.random.default_rng(0))
    for name in ("a", "hard"):
        write_trials(tmp_path / f"trials_{name}", draw(utt2spk))
        write_trials(tmp_path / f"trials_{name}_one_plus_99", anchors)
    remove_from_trials(tmp_path, {"s00-0"})
    for path in find_trial_lists(tmp_path).values():
        assert "s00-0" not in path.read_text()
    for name in ("a", "hard"):
        for met in anchors_of(read_trials(tmp_path / f"trials_{name}_one_plus_99")).values():
            assert count_targets(met) == 1


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("s00-0 s00-1 target\ns00-1 s01-0 nontarget\n", "trials_hard: all 1 target trials name"),
        ("s00-1 s00-2 target\ns00-0 s01-0 nontarget\n", "trials_hard: all 1 nontarget trials name"),
    ],
)
def test_a_list_that_would_lose_all_of_a_kind_is_refused_and_all_lists_stay(
    lines: str, told: str, tmp_path: Path
) -> None:
    write_trials(tmp_path / "trials", draw(make_speakers(3, 3, 3)))
    (tmp_path / "trials_hard").write_text(lines)
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=f"{told}.*mend those listed in .*bad_utterances"):
        remove_from_trials(tmp_path, {"s00-0"})
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before


def test_trials_of_strangers_are_refused(tmp_path: Path) -> None:
    utt2spk = make_speakers(2, 2)
    (tmp_path / "trials_own").write_text("s00 s00-1 target\ns00-0 s01-0 nontarget\n")
    assert len(read_known_trials(tmp_path / "trials_own", utt2spk)) == 2
    (tmp_path / "trials_own").write_text("s00-0 s07-1 target\ns00-0 s01-0 nontarget\n")
    with pytest.raises(ValueError, match=r"trials_own: 1 of 3 ids .*first 's07-1': mend or remove"):
        read_known_trials(tmp_path / "trials_own", utt2spk)


def test_known_ids_may_be_those_of_models(tmp_path: Path) -> None:
    (tmp_path / "trials_own").write_text("m1 s00-1 target\nm2 s01-0 nontarget\n")
    trials = read_known_trials(tmp_path / "trials_own", make_speakers(2, 2), {"m1": [], "m2": []})
    assert trials == [Trial("m1", "s00-1", True), Trial("m2", "s01-0", False)]
    with pytest.raises(ValueError, match="1 of 4 ids are not in the test set, first 'm2'"):
        read_known_trials(tmp_path / "trials_own", make_speakers(2, 2), ["m1"])


# Published forms

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
def test_published_forms_name_the_same_trials(lines: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(lines)
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
        assert f"{unknown}: not in the test set" in caplog.text
        assert "1 of 3 trials left out" in caplog.text


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
        ("s00-0 s00-1 1\n\ns00-0 s01-0\n", "list, line 3: expected .* got 's00-0 s01-0'"),
        ("s00-0 s00-1 1 2\n", "list, line 1: expected 'enroll test label' or"),
        ("s00-0 s00-1 1\ns00-0 s00-1 0\n\n1 s00-0 s01-0\n", "line 4: .* got '1 s00-0 s01-0'"),
        ("1 s00-0 s00-1\n1 s00-0 s00-1\ns00-0 s01-0 0\n", "line 3: .* got 's00-0 s01-0 0'"),
        ("s00-0 s00-1 imp\n", "line 1: .* target, nontarget, 1 or 0, got 's00-0 s00-1 imp'"),
        ("s00-0 1 s00-1\n", "list, line 1: expected"),
        (" \n\n", "list: no trials"),
        ("", "list: no trials"),
    ],
)
def test_lists_of_no_known_form_are_refused_by_line(
    content: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "list").write_text(content)
    with pytest.raises(ValueError, match=told):
        import_trials(tmp_path / "list", make_speakers(2, 2))
    with pytest.raises(ValueError, match=r"missing: no such trial list"):
        import_trials(tmp_path / "missing", make_speakers(2, 2))


def test_names_of_another_corpus_are_counted_and_the_first_told(tmp_path: Path) -> None:
    lines = "1 id1/v/1.wav s00-0\n0 id1/v/1.wav s01/9.wav\n1 s00-0 s00-1\n"
    (tmp_path / "list").write_text(lines)
    with pytest.raises(
        ValueError,
        match=r"2 of 4 names in .*list are bad.*: expected its ids, such as 's00-0', or paths that "
        r"end in their parts; first id1/v/1\.wav: not in the test set",
    ):
        import_trials(tmp_path / "list", make_speakers(2, 2))


def test_names_are_resolved_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    utt2spk = make_speakers(*[10] * 30)
    names = [key.replace("-", "/") + ".wav" for key in utt2spk]
    chosen = np.random.default_rng(0).integers(len(names), size=(5000, 2)).tolist()
    (tmp_path / "list").write_text(
        "".join(f"{n % 2} {names[i]} {names[j]}\n" for n, (i, j) in enumerate(chosen))
    )
    find = Mock(side_effect=importing._find_id)
    monkeypatch.setattr(importing, "_find_id", find)
    trials = import_trials(tmp_path / "list", utt2spk)
    keys = list(utt2spk)
    assert [trial[:2] for trial in trials] == [(keys[i], keys[j]) for i, j in chosen]
    assert sorted(call.args[0] for call in find.mock_calls) == sorted(names)


@pytest.mark.parametrize("label", ["0", "1"])
def test_a_list_of_one_kind_measures_nothing(label: str, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{label} s00-0 s00-1\n{label} s00-0 s01-1\n")
    with pytest.raises(ValueError, match="list: target and nontarget trials are both needed"):
        import_trials(tmp_path / "list", make_speakers(2, 2))


# Models


def test_models_are_written_as_a_sorted_table_and_read_back(tmp_path: Path) -> None:
    assert read_models(tmp_path) == {}
    write_models(tmp_path, {"b-m": ["b-1"], "a-m": ["a-2", "a-1"]})
    assert (tmp_path / "enroll_spk2utt").read_text() == "a-m a-2 a-1\nb-m b-1\n"
    assert read_models(tmp_path) == {"a-m": ["a-2", "a-1"], "b-m": ["b-1"]}


MODELS = {"m0": ["s00-0", "s00-1"], "m1": ["s01-0", "s01-1"], "m2": ["s02-0", "s02-1"]}


def write_model_lists(folder: Path) -> dict[str, str]:
    """Three speakers with a model each and two tests each, and the lists of all protocols."""
    utt2spk = make_speakers(4, 4, 4)
    write_models(folder, MODELS)
    everything = draw_identification(utt2spk, MODELS, 10**6, np.random.default_rng(0))
    write_trials(folder / "trials_identification", everything)
    write_trials(folder / "trials_enrolment_2", everything)
    anchors = draw_one_plus_99(utt2spk, 10**6, np.random.default_rng(0), MODELS)
    write_trials(folder / "trials_enrolment_2_one_plus_99", anchors)
    return utt2spk


def test_removed_utterances_leave_models_and_empty_models_leave_all_lists(tmp_path: Path) -> None:
    write_model_lists(tmp_path)
    before = {name: read_trials(path) for name, path in find_trial_lists(tmp_path).items()}
    remove_from_trials(tmp_path, {"s00-0", "s01-0", "s01-1", "s02-2"})
    assert read_models(tmp_path) == {"m0": ["s00-1"], "m2": ["s02-0", "s02-1"]}
    after = {name: read_trials(path) for name, path in find_trial_lists(tmp_path).items()}
    assert after["enrolment_2"] == [
        trial for trial in before["enrolment_2"] if trial.enroll != "m1" and trial.test != "s02-2"
    ]
    # s01's tests have lost their model, and s02-2 itself is bad: they are asked nobody any more.
    assert after["identification"] == [
        Trial(model, test, model[1] == test[2])
        for test in ("s00-2", "s00-3", "s02-3")
        for model in ("m0", "m2")
    ]
    assert "m1" not in anchors_of(after["enrolment_2_one_plus_99"])


def test_speakers_without_utterances_leave_the_lists(tmp_path: Path) -> None:
    write_spk2utt(tmp_path / "spk2utt", make_speakers(2, 2, 2))
    trials = [
        Trial("s00", "s00-1", True),
        Trial("s01", "s02-0", False),
        Trial("s00", "s02-0", False),
    ]
    write_trials(tmp_path / "trials_own", trials)
    remove_from_trials(tmp_path, {"s00-0", "s01-0", "s01-1"})
    assert read_trials(tmp_path / "trials_own") == [trials[0], trials[2]]


def test_models_stay_where_a_list_would_lose_all_of_a_kind(tmp_path: Path) -> None:
    utt2spk = write_model_lists(tmp_path)
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    models = {key for utterances in MODELS.values() for key in utterances}
    with pytest.raises(ValueError, match=r"trials_\w+: all \d+ target trials name .*lose their"):
        remove_from_trials(tmp_path, models)
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before
    assert len(utt2spk) == 12


def test_models_that_lose_nothing_are_not_written_anew(tmp_path: Path) -> None:
    write_model_lists(tmp_path)
    text = "m2  s02-0 s02-1\nm0 s00-0 s00-1\nm1 s01-0 s01-1\n"  # a user's own order
    (tmp_path / "enroll_spk2utt").write_text(text)
    remove_from_trials(tmp_path, {"s00-3"})
    assert (tmp_path / "enroll_spk2utt").read_text() == text
    assert "s00-3" not in (tmp_path / "trials_identification").read_text()
