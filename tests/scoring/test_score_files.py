"""Score files: written by this recipe in the order of a list, or by others in any."""

import re
from pathlib import Path

import numpy as np
import pytest

from deep_speaker.kaldi import columns
from deep_speaker.scoring.score_files import (
    find_score_files,
    format_lines,
    read_scores,
    score_file,
)
from deep_speaker.trials.lists import Trial
from deep_speaker.trials.table import TrialTable
from support.tiny_xvectors import make_table

PAIRS = [("a", "b"), ("b", "a"), ("a", "c"), ("a", "b")]


def table(tmp_path: Path, pairs: list[tuple[str, str]] = PAIRS) -> TrialTable:
    trials = [Trial(*pair, target=i % 2 == 0) for i, pair in enumerate(pairs)]
    return make_table(tmp_path / "trials", trials)


# Names


def test_a_list_s_files_are_those_of_its_own_name_in_the_order_of_back_ends(
    tmp_path: Path,
) -> None:
    """Whatever lies there counts, but what is being written, or of a list `trials.a`."""
    backends = ["plda", "kaldi_plda", "cosine", "a.b", "crop_distance", "cosine_as_norm"]
    for backend in backends:
        (tmp_path / f"fine.tuned.trials.{backend}").write_text("a b 1\n")
    for other in ("fine.tuned.trials_hard.lda", "fine.trials.lda", "x.fine.tuned.trials.lda",
                  "fine.tuned.trials.lda.partial"):  # fmt: skip
        (tmp_path / other).write_text("")
    trial_list = Path("anywhere/trials")
    found = find_score_files(tmp_path / "fine.tuned", trial_list)
    assert list(found) == [
        "crop_distance", "cosine", "plda", "cosine_as_norm", "kaldi_plda",
    ]  # fmt: skip
    for backend, path in found.items():
        assert path == score_file(tmp_path / "fine.tuned", trial_list, backend)
    assert list(find_score_files(tmp_path / "fine.tuned", Path("trials_hard"))) == ["lda"]


def test_scores_of_nobody_name_the_stage_that_makes_them(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ValueError, match=r"/p\.trials\.\* .* stage 5 "):
            find_score_files(folder / "p", Path("test/trials"))


# Reading


def test_lines_are_read_back_as_they_are_written(tmp_path: Path) -> None:
    scores = np.array([0.25, -1e-3, 12345.6789, 1 / 3], np.float32)
    trials = table(tmp_path)
    lines = format_lines(trials.index, trials.enroll, trials.test, scores)
    assert lines == b"a b 0.2500000\nb a -0.0010000\na c 12345.6787109\na b 0.3333333\n"
    (tmp_path / "s").write_bytes(lines)
    read = read_scores(tmp_path / "s", trials)
    assert read.dtype == np.float64
    assert read == pytest.approx(scores, abs=1e-7)


@pytest.mark.parametrize("block_bytes", [1, 12, 1 << 22])
def test_scores_in_the_order_of_the_list_are_read_as_they_come(
    block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So each of a pair that comes twice keeps its own."""
    monkeypatch.setattr(columns, "BLOCK_BYTES", block_bytes)
    (tmp_path / "s").write_text("a b 1\nb a 2\na c 3\na b 4\n")
    assert read_scores(tmp_path / "s", table(tmp_path)).tolist() == [1, 2, 3, 4]


def test_a_byte_order_mark_is_no_part_of_the_first_id(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("\ufeffa b 1\nb a 2\na c 3\na b 1\n", encoding="utf-8")
    assert read_scores(tmp_path / "s", table(tmp_path)).tolist() == [1, 2, 3, 1]


@pytest.mark.parametrize("block_bytes", [1, 12, 1 << 22])
@pytest.mark.parametrize("separator", [" ", "\t", "   "])
def test_scores_of_other_toolkits_are_read_in_any_order(
    separator: str, block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be more of them, and a pair may come twice."""
    monkeypatch.setattr(columns, "BLOCK_BYTES", block_bytes)
    lines = ["a c 7", "a b 12", "b a -1.5e-3 ", "x y 7", "b x 8", "x b 8", "c a 9", "a b 12"]
    (tmp_path / "s").write_text("".join(line.replace(" ", separator) + "\n" for line in lines))
    scores = read_scores(tmp_path / "s", table(tmp_path))  # Kaldi ends a line with a space
    assert scores.tolist() == [12, -1.5e-3, 7, 12]
    assert scores.dtype == np.float64


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 1, 2, 3, 3], [3, 2, 1, 0], [0, 2, 1, 3]], ids=str)
def test_a_file_that_leaves_the_order_of_the_list_is_looked_up(
    order: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a block that keeps it, and where there are fewer lines, or more, than trials."""
    monkeypatch.setattr(columns, "BLOCK_BYTES", 1)
    of_pair = {("a", "b"): 1.0, ("b", "a"): 2.0, ("a", "c"): 3.0}
    lines = [f"{a} {b} {of_pair[a, b]}\n" for a, b in (PAIRS[i] for i in order)]
    (tmp_path / "s").write_text("".join(lines))
    assert read_scores(tmp_path / "s", table(tmp_path)).tolist() == [1, 2, 3, 1]


@pytest.mark.parametrize(
    ("pairs", "text"),
    [([("a", "b"), ("a", "c")], "a c 2\na b 1\n"), ([("a", "c"), ("b", "c")], "b c 2\na c 1\n")],
)
def test_both_sides_of_a_trial_tell_its_score(
    pairs: list[tuple[str, str]], text: str, tmp_path: Path
) -> None:
    (tmp_path / "s").write_text(text)
    assert read_scores(tmp_path / "s", table(tmp_path, pairs)).tolist() == [1, 2]


def test_a_pair_of_several_scores_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("a c 7\nb a 2\na b 5\nb a 3\n")
    with pytest.raises(ValueError, match=r"/s: 'b a' "):
        read_scores(tmp_path / "s", table(tmp_path))


def test_a_large_file_in_any_order_gives_each_trial_its_score(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pairs = list(dict.fromkeys((f"u{i}", f"u{j}") for i, j in rng.integers(60, size=(3000, 2))))
    values = rng.normal(0, 1, len(pairs)).round(7)
    order = rng.permutation(len(pairs))
    lines = [f"{pairs[i][0]} {pairs[i][1]} {values[i]}\n" for i in order]
    (tmp_path / "s").write_text("".join(lines))
    chosen = rng.permutation(len(pairs))[:500]
    trials = table(tmp_path, [pairs[i] for i in chosen])
    assert read_scores(tmp_path / "s", trials).tolist() == values[chosen].tolist()


@pytest.mark.parametrize("block_bytes", [1, 1 << 22])
@pytest.mark.parametrize("line", ["a b", "a b c", "a b 1 2", "", "a b 0,5"])
def test_a_line_that_is_no_score_is_quoted_with_its_number(
    line: str, block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "BLOCK_BYTES", block_bytes)
    (tmp_path / "s").write_text(f"a b 1\nb a 1e-3\n{line}\n")
    with pytest.raises(ValueError, match=r"/s, line 3: .*'enroll test score'") as error:
        read_scores(tmp_path / "s", table(tmp_path))
    assert f"'{line}" in str(error.value)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("p.trials.kaldi_plda", "mend"), ("p.trials.plda", "stage 5")],
)
def test_trials_without_a_score_are_counted_and_the_first_named(
    name: str, remedy: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text("a b 1\na x 3\n")
    with pytest.raises(ValueError, match=rf"/{re.escape(name)}: 2 of 4 .* b a: .*{remedy}"):
        read_scores(tmp_path / name, table(tmp_path))


@pytest.mark.parametrize("text", ["", "x y 1\n", "x a 1\n"])
def test_a_file_without_any_score_of_the_trials_is_refused(text: str, tmp_path: Path) -> None:
    """An empty one, or one of another list."""
    (tmp_path / "s").write_text(text)
    with pytest.raises(ValueError, match=r"/s: 4 of 4 .* a b: "):
        read_scores(tmp_path / "s", table(tmp_path))


def test_missing_scores_name_the_stage_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"/scores .* stage 5 "):
        read_scores(tmp_path / "scores", table(tmp_path))
