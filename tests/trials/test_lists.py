"""Trial lists in Kaldi's form, and the models that they may name."""

from pathlib import Path

import pytest

from deep_speaker.trials.lists import Trial, find_trial_lists, read_trials, write_trials
from deep_speaker.trials.models import read_models, write_models


def test_lists_are_written_in_kaldi_s_form_and_read_back(tmp_path: Path) -> None:
    trials = [Trial("a-1", "é-2", False), Trial("a-1", "a-2", True)]
    write_trials(tmp_path / "trials", trials)
    assert (tmp_path / "trials").read_text(encoding="utf-8") == (
        "a-1 é-2 nontarget\na-1 a-2 target\n"
    )
    assert read_trials(tmp_path / "trials") == trials


def test_a_byte_order_mark_is_no_part_of_the_first_id(tmp_path: Path) -> None:
    (tmp_path / "trials").write_text("\ufeffa b target\na c nontarget\n", encoding="utf-8")
    assert read_trials(tmp_path / "trials") == [Trial("a", "b", True), Trial("a", "c", False)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a b target\na b\n", r"/trials, line 2: .*'a b\\n'$"),
        ("a b 1\n", "/trials, line 1: .*'a b 1'$"),
        ("a b target c\n", "/trials, line 1: .*'a b target c"),
        ("a b target\n\n", r"/trials, line 2: .*'\\n'$"),
        ("", "/trials: "),
    ],
)
def test_a_list_of_another_form_is_refused_by_line(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "trials").write_text(content)
    with pytest.raises(ValueError, match=told):
        read_trials(tmp_path / "trials")
    with pytest.raises(ValueError, match=r"/missing .*stage 0"):
        read_trials(tmp_path / "missing")


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
    with pytest.raises(ValueError, match=r"/trials and trials_trials .*'trials'"):
        find_trial_lists(tmp_path)


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_a_folder_without_lists_names_the_stage_that_makes_them(
    folder: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"/trials .*stage 0"):
        find_trial_lists(tmp_path / folder)


def test_models_are_written_as_a_sorted_table_and_read_back(tmp_path: Path) -> None:
    assert read_models(tmp_path) == {}
    write_models(tmp_path, {"b-m": ["b-1"], "a-m": ["a-2", "a-1"]})
    assert (tmp_path / "enroll_spk2utt").read_text() == "a-m a-2 a-1\nb-m b-1\n"
    assert read_models(tmp_path) == {"a-m": ["a-2", "a-1"], "b-m": ["b-1"]}
