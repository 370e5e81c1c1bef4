"""Rows whose scores are not of the present x-vectors are marked, everywhere that they are shown."""

import os
import shutil
from itertools import combinations
from pathlib import Path

from deep_speaker.embeddings.xvectors import write_xvectors
from deep_speaker.report.tables import html_table
from deep_speaker.results.computation import compute_rows
from deep_speaker.results.lists import table_lines
from deep_speaker.results.stale import describe_stale
from deep_speaker.results.text_table import format_results
from deep_speaker.trials.lists import Trial, write_trials
from support.result_rows import make_row
from support.scored_folders import TEST, TRAIN, make_folder, score
from support.tiny_xvectors import make_vectors


def stale_backends(folder: Path) -> set[str]:
    rows = compute_rows(folder / "test", folder / "scores", ["p"])
    return {row["backend"] for row in rows if "stale" in row}


def test_scores_are_stale_once_x_vectors_were_made_anew(tmp_path: Path) -> None:
    scores = score(make_folder(tmp_path), "cosine", "plda")
    for name in ("trials", "calibration_trials"):
        shutil.copy(scores / f"p.{name}.plda", scores / f"p.{name}.kaldi_plda")
    assert stale_backends(tmp_path) == set()
    write_xvectors(tmp_path / "p/xvectors_test", make_vectors(TEST, 1), TEST)  # the same again
    assert stale_backends(tmp_path) == set()

    write_xvectors(tmp_path / "p/xvectors_test", make_vectors(TEST, 2), TEST)
    assert stale_backends(tmp_path) == {"cosine", "plda", "kaldi_plda"}
    score(tmp_path, "cosine", "plda")
    assert stale_backends(tmp_path) == {"kaldi_plda"}
    os.utime(scores / "p.trials.kaldi_plda")
    os.utime(scores / "p.calibration_trials.kaldi_plda")
    assert stale_backends(tmp_path) == set()
    write_xvectors(tmp_path / "p/xvectors_train", make_vectors(TRAIN, 2), TRAIN)
    assert stale_backends(tmp_path) == {"cosine", "plda", "kaldi_plda"}


def test_scores_that_calibrate_count_as_well(tmp_path: Path) -> None:
    make_folder(tmp_path)
    pairs = [Trial(a, b, TEST[a] == TEST[b]) for a, b in combinations(TEST, 2)]
    write_trials(tmp_path / "test/trials", pairs)  # of utterances, which calibration is for
    scores = score(tmp_path, "cosine")
    for name in ("trials", "calibration_trials"):
        shutil.copy(scores / f"p.{name}.cosine", scores / f"p.{name}.kaldi_plda")
    os.utime(scores / "p.calibration_trials.kaldi_plda", (0, 0))
    assert stale_backends(tmp_path) == {"kaldi_plda"}


def test_tables_mark_them_and_say_why() -> None:
    reason = "xvector.ark was made anew since"
    rows = [
        make_row(), make_row(backend="plda", stale=reason), make_row(backend="lda", stale=reason)
    ]  # fmt: skip
    (note,) = describe_stale(rows)
    assert note.startswith(f"Stale, as {reason}: pretraining by plda, lda. Run stages 4 to 6")
    text = format_results(rows)
    assert note in text.splitlines()
    table = html_table("trials", table_lines(rows, "trials"), "all")
    assert table is not None
    assert [line.backend for line in table.lines] == ["cosine", "plda (stale)", "lda (stale)"]
    assert [line.partition("  2.00 ")[0][12:].strip() for line in text.splitlines()[1:4]] == [
        "cosine", "plda (stale)", "lda (stale)"
    ]  # fmt: skip


def test_the_remedy_depends_on_who_scored() -> None:
    stale = {"stale": "x was made anew since"}
    kaldi, own = (make_row(backend=name, **stale) for name in ("kaldi_plda", "cosine"))
    remedy = "Let other programs score anew, or remove their scores."
    (told,) = describe_stale([kaldi])
    assert told == f"Stale, as x was made anew since: pretraining by kaldi_plda. {remedy}"
    (told,) = describe_stale([kaldi, own])
    assert told.endswith(f"by kaldi_plda, cosine. Run stages 4 to 6 anew. {remedy}")
