"""Results of hand-made scores: every figure by hand, and the table that states its conventions."""

import json
from pathlib import Path

import numpy as np
import pytest

import compute_metrics
from deep_speaker.report import compute_rows, find_same_sex, format_table, write_results
from deep_speaker.tables import write_table
from deep_speaker.trials import Trial, read_trials, write_models

# Speakers a and b are men, c is a woman.
TRIALS = """\
a1 a2 target 0.9
b1 b2 target 0.8
c1 c2 target 0.3
a1 b1 nontarget 0.5
a1 c1 nontarget 0.4
b1 c1 nontarget 0.1
"""
ONE_PLUS_99 = """\
a1 a2 target 0.9
a1 b1 nontarget 0.5
a1 c1 nontarget 0.4
b2 b1 target 0.4
b2 a1 nontarget 0.2
b2 c1 nontarget 0.6
c1 c2 target 0.3
c1 b1 nontarget 0.3
c1 a1 nontarget 0.1
"""


def write_scored(
    data_dir: Path, score_dir: Path, phases: dict[str, float], prefix: str = "trials"
) -> None:
    """The trials, and per phase the scores times a factor."""
    for name, text in ((prefix, TRIALS), (f"{prefix}_one_plus_99", ONE_PLUS_99)):
        lines = [line.split() for line in text.splitlines()]
        (data_dir / name).write_text("".join(f"{a} {b} {kind}\n" for a, b, kind, _ in lines))
        for phase, factor in phases.items():
            (score_dir / f"{phase}.{name}.cosine").write_text(
                "".join(f"{a} {b} {factor * float(score)}\n" for a, b, _, score in lines)
            )


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "test"
    write_table(folder / "utt2spk", {f"{speaker}{i}": speaker for speaker in "abc" for i in "12"})
    write_table(folder / "spk2gender", {"a": "m", "b": "m", "c": "f"})
    (tmp_path / "scores").mkdir()
    write_scored(folder, tmp_path / "scores", {"good": 1, "reversed": -1})
    return folder


def costs(value: float) -> dict[str, float]:
    return pytest.approx({"0.01": value, "0.05": value, "0.001": value}, abs=1e-5)  # type: ignore[return-value]


def test_rows_by_hand(data_dir: Path) -> None:
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
    assert rows == [
        {
            # Order of scores: n t n n t t.
            "phase": "good", "trials": "trials", "subset": "all", "backend": "cosine",
            "eer_percent": pytest.approx(100 / 3, abs=1e-4), "min_dcf": costs(1 / 3),
            "num_target": 3, "num_nontarget": 3,
        },
        {
            # Without c's trials with men: t n t t.
            "phase": "good", "trials": "trials", "subset": "same_sex", "backend": "cosine",
            "eer_percent": pytest.approx(100 / 3, abs=1e-4), "min_dcf": costs(1 / 3),
            "num_target": 3, "num_nontarget": 1,
        },
        {
            # n n (n t) (n t) n n t; the EER is on the piece from miss 1/3, false alarm 1/2 to
            # miss 2/3, false alarm 1/3: where 1/3 + x/3 = 1/2 - x/6, at x = 1/3.
            "phase": "good", "trials": "one_plus_99", "subset": "all", "backend": "cosine",
            "eer_percent": pytest.approx(100 * 4 / 9, abs=1e-4), "min_dcf": costs(2 / 3),
            "num_target": 3, "num_nontarget": 6,
            # a is found, b is not, c ties.
            "identification_accuracy_percent": pytest.approx(100 / 3, abs=1e-4),
        },
        {
            # n t t n t: from miss 0, false alarm 1/2 by 1/3, 1/2 and 2/3, 1/2 to 2/3, 0.
            "phase": "good", "trials": "one_plus_99", "subset": "same_sex", "backend": "cosine",
            "eer_percent": 50, "min_dcf": costs(2 / 3),
            "num_target": 3, "num_nontarget": 2,
            "identification_accuracy_percent": 100,  # of a and b; c has no negative of her sex
        },
    ]  # fmt: skip


def test_phases_keep_their_order_and_their_own_scores(data_dir: Path) -> None:
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["reversed", "good"])
    assert [row["phase"] for row in rows] == ["reversed"] * 4 + ["good"] * 4
    errors = [row["eer_percent"] for row in rows if row["subset"] == "all"]
    assert errors[0] == pytest.approx(200 / 3, abs=1e-4)
    assert errors[2] == pytest.approx(100 / 3, abs=1e-4)


def test_same_sex_trials_by_hand(data_dir: Path) -> None:
    found = find_same_sex(read_trials(data_dir / "trials"), data_dir)
    assert found is not None
    assert found.tolist() == [True, True, True, True, False, False]
    by_speaker = [Trial("a", "b1", False), Trial("c", "b1", False)]  # enrolled by speaker
    found = find_same_sex(by_speaker, data_dir)
    assert found is not None
    assert found.tolist() == [True, False]


@pytest.mark.parametrize("known", [{}, {"a": "m", "b": "m"}])
def test_without_the_sex_of_all_speakers_there_is_no_same_sex_row(
    known: dict[str, str], data_dir: Path
) -> None:
    (data_dir / "spk2gender").unlink()
    if known:
        write_table(data_dir / "spk2gender", known)
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
    assert [row["subset"] for row in rows] == ["all", "all"]


def test_same_sex_rows_need_the_sexes_of_the_list_s_speakers_alone(data_dir: Path) -> None:
    write_table(data_dir / "spk2gender", {"a": "m", "b": "m"})
    lines = TRIALS.splitlines()[:2] + TRIALS.splitlines()[3:4]  # c is in none
    (data_dir / "trials_men").write_text("".join(f"{line[:-4]}\n" for line in lines))
    (data_dir.parent / "scores/good.trials_men.cosine").write_text("a1 a2 3\nb1 b2 2\na1 b1 1\n")
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
    assert [(row["trials"], row["subset"]) for row in rows] == [
        ("trials", "all"), ("one_plus_99", "all"), ("men", "all"), ("men", "same_sex"),
    ]  # fmt: skip
    assert rows[-1]["eer_percent"] == 0


def test_a_subset_without_nontargets_has_no_row(data_dir: Path) -> None:
    write_table(data_dir / "spk2gender", {"a": "m", "b": "f", "c": "x"})
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
    assert [row["subset"] for row in rows] == ["all", "all"]


def test_a_phase_without_scores_is_refused(data_dir: Path) -> None:
    with pytest.raises(ValueError, match=r"untrained\.trials\.cosine is missing: run stage 5"):
        compute_rows(data_dir, data_dir.parent / "scores", ["good", "untrained"])


def test_scores_that_are_not_numbers_are_refused(data_dir: Path) -> None:
    path = data_dir.parent / "scores/good.trials.cosine"
    path.write_text(path.read_text().replace("0.8", "nan"))
    with pytest.raises(ValueError, match="1 of 6 scores are not numbers"):
        compute_rows(data_dir, data_dir.parent / "scores", ["good"])


def test_results_are_json_that_reads_back(data_dir: Path, tmp_path: Path) -> None:
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
    write_results(tmp_path / "results.json", rows)
    assert json.loads((tmp_path / "results.json").read_text()) == rows


def test_the_table_shows_every_phase_and_states_its_conventions(data_dir: Path) -> None:
    text = format_table(compute_rows(data_dir, data_dir.parent / "scores", ["good", "reversed"]))
    lines = text.splitlines()
    header = lines[0]
    assert header.startswith("phase")
    for title in ("EER %", "0.01", "0.05", "0.001", "ACC %"):
        assert title in header
    good = next(line for line in lines if line.startswith("good "))
    backwards = next(line for line in lines if line.startswith("reversed "))
    assert good.split()[1] == "33.33"
    assert backwards.split()[1] == "66.67"
    assert "0.333" in good
    assert good.split()[-1] == "33.33"  # identification
    assert len({len(line.rstrip()) for line in (header, good, backwards)}) == 1  # aligned
    notes = text[text.index(backwards) + len(backwards) :]
    for convention in ("interpolation", "p(target)", "C_miss = 1", "C_fa = 1", "normalised",
                       "share of anchors", "without", "3 target"):  # fmt: skip
        assert convention in notes


def test_the_table_leaves_out_what_was_not_computed(data_dir: Path) -> None:
    (data_dir / "spk2gender").unlink()
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
    assert "nan" not in format_table(rows).lower()
    assert "None" not in format_table(rows)
    assert "33.33" in format_table(rows[:1])


def test_lists_have_rows_and_a_table_each(data_dir: Path) -> None:
    scores = data_dir.parent / "scores"
    plain = format_table(compute_rows(data_dir, scores, ["good"])).splitlines()
    for name in ("trials", "trials_one_plus_99"):
        (data_dir / name).unlink()
    write_scored(data_dir, scores, {"good": 1, "reversed": -1}, "trials_ar")
    write_scored(data_dir, scores, {"good": -1, "reversed": 1}, "trials_zh")
    rows = compute_rows(data_dir, scores, ["reversed", "good"])
    lists = ["ar", "ar_one_plus_99", "zh", "zh_one_plus_99"]
    assert [(row["phase"], row["trials"], row["subset"]) for row in rows] == [
        (phase, name, subset)
        for phase in ("reversed", "good")
        for name in lists
        for subset in ("all", "same_sex")
    ]
    for row in rows:
        assert ("identification_accuracy_percent" in row) == row["trials"].endswith("_99")
    tables = [text.splitlines() for text in format_table(rows).split("\n\n")]
    assert [table[0] for table in tables] == ["ar", "zh", tables[2][0]]
    figures = plain[1].split()[1:]
    assert tables[0][3].split() == ["good", *figures]
    assert tables[1][2].split() == ["reversed", *figures]
    assert [line.split(",")[0] for line in tables[2] if " target, " in line] == [
        name for name in lists for _ in range(2)
    ]


def test_command_prints_the_table_and_writes_the_results(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(data_dir), str(data_dir.parent)]
    monkeypatch.setattr("sys.argv", ["compute_metrics.py", *folders, "reversed", "good"])
    compute_metrics.main()
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["reversed", "good"])
    assert json.loads((data_dir.parent / "results.json").read_text()) == rows
    assert capsys.readouterr().out == format_table(rows) + "\n"
    assert np.isfinite([row["eer_percent"] for row in rows]).all()


def test_rows_name_the_backend_that_scored_the_phase(data_dir: Path) -> None:
    scores = data_dir.parent / "scores"
    expected = compute_rows(data_dir, scores, ["good"])
    for path in scores.glob("good.*.cosine"):
        path.rename(path.with_suffix(".crop_distance"))
    rows = compute_rows(data_dir, scores, ["good", "reversed"])
    assert rows[: len(expected)] == [row | {"backend": "crop_distance"} for row in expected]
    assert {row["backend"] for row in rows[len(expected) :]} == {"cosine"}


# Models and identification

MODELS = {"m": ["a1", "a2"], "n": ["b1"], "w": ["c1"]}
# The tests are a3, b2 and c2; a3 is found, b2 is second, c2 ties with m.
IDENTIFICATION = """\
m a3 target 0.9
n a3 nontarget 0.5
w a3 nontarget 0.4
m b2 nontarget 0.6
n b2 target 0.5
w b2 nontarget 0.1
m c2 nontarget 0.3
n c2 nontarget 0.1
w c2 target 0.3
"""


def write_scores(data_dir: Path, name: str, text: str, phase: str = "good") -> None:
    lines = [line.split() for line in text.splitlines()]
    (data_dir / name).write_text("".join(f"{a} {b} {kind}\n" for a, b, kind, _ in lines))
    scores = "".join(f"{a} {b} {score}\n" for a, b, _, score in lines)
    (data_dir.parent / f"scores/{phase}.{name}.cosine").write_text(scores)


@pytest.fixture
def model_dir(data_dir: Path) -> Path:
    """The lists of identification and of models of several utterances beside the default two."""
    utt2spk = {f"{speaker}{i}": speaker for speaker in "abc" for i in "123"}
    write_table(data_dir / "utt2spk", utt2spk)
    write_models(data_dir, MODELS)
    write_scores(data_dir, "trials_identification", IDENTIFICATION)
    write_scores(data_dir, "trials_enrolment_2", IDENTIFICATION)
    anchors = "m a3 target 0.9\nm b2 nontarget 0.6\nm c2 nontarget 0.3\n"
    write_scores(data_dir, "trials_enrolment_2_one_plus_99", anchors)
    return data_dir


def rows_of(data_dir: Path, name: str, subset: str = "all") -> dict:
    rows = compute_rows(data_dir, data_dir.parent / "scores", ["good"])
    (row,) = [row for row in rows if (row["trials"], row["subset"]) == (name, subset)]
    return row


def test_identification_is_counted_per_test(model_dir: Path) -> None:
    row = rows_of(model_dir, "identification")
    assert row["identification_accuracy_percent"] == pytest.approx(100 / 3, abs=1e-4)
    assert "rank5_accuracy_percent" not in row  # of three models
    assert (row["num_target"], row["num_nontarget"]) == (3, 6)
    # Without w, a3 is found and b2 is not; c2 meets no other woman.
    row = rows_of(model_dir, "identification", "same_sex")
    assert row["identification_accuracy_percent"] == 50
    assert (row["num_target"], row["num_nontarget"]) == (3, 2)


@pytest.mark.parametrize(("num_models", "shown"), [(5, False), (6, True), (7, True)])
def test_rank_5_is_of_more_than_five_models(num_models: int, shown: bool, data_dir: Path) -> None:
    """Test t1 is the last of all, t2 the fifth, t3 the first."""
    ranks = {"t1": num_models, "t2": 5, "t3": 1}
    lines = [
        f"m{i} {test} {'target' if i == rank else 'nontarget'} {-i}\n"
        for test, rank in ranks.items()
        for i in range(1, num_models + 1)
    ]
    write_scores(data_dir, "trials_ar_identification", "".join(lines))
    row = rows_of(data_dir, "ar_identification")
    assert row["identification_accuracy_percent"] == pytest.approx(100 / 3, abs=1e-4)
    assert row.get("rank5_accuracy_percent") == (
        pytest.approx(200 / 3, abs=1e-4) if shown else None
    )
    table = format_table(compute_rows(data_dir, data_dir.parent / "scores", ["good"]))
    title = table.splitlines().index("ar_identification")
    header, line = table.splitlines()[title + 1 : title + 3]
    assert header.split("  ") == ["phase", "rank-1 %", "rank-5 %", "same-sex rank-1 %"]
    assert line.split() == ["good", "33.33", "66.67" if shown else "-", "-"]
    assert "rank-1 (rank-5): share of tests" in table


def test_the_sex_of_a_model_is_its_speaker_s(model_dir: Path) -> None:
    found = find_same_sex(read_trials(model_dir / "trials_identification"), model_dir)
    assert found is not None
    assert found.tolist() == [True, True, False, True, True, False, False, False, True]
    write_models(model_dir, MODELS | {"w": ["stranger"]})
    assert find_same_sex(read_trials(model_dir / "trials_identification"), model_dir) is None
    write_models(model_dir, {"m": ["a1"], "n": ["b1"], "c": ["a1"]})
    found = find_same_sex([Trial("c", "a3", True), Trial("c2", "a3", False)], model_dir)
    assert found is not None
    assert found.tolist() == [True, False]  # the model c is a's


def test_the_lists_of_models_have_tables_of_their_own(model_dir: Path) -> None:
    scores = model_dir.parent / "scores"
    rows = compute_rows(model_dir, scores, ["good"])
    tables = [text.splitlines() for text in format_table(rows).split("\n\n")]
    assert [table[0] for table in tables[:3]] == ["trials", "enrolment_2", "identification"]
    # n n (n t) n (n t) n t: above 0.4, one of three targets and two of six nontargets are wrong.
    assert tables[1][2].split()[:2] == ["good", "33.33"]
    assert tables[1][2].split()[-1] == "100.00"  # m's own test scores above the two others
    assert "identification_accuracy_percent" not in rows_of(model_dir, "enrolment_2")
    assert tables[2][2].split() == ["good", "33.33", "-", "50.00"]
    for path in [*model_dir.glob("trials_enrol*"), model_dir / "trials_identification"]:
        path.unlink()
    alone = format_table(compute_rows(model_dir, scores, ["good"])).splitlines()
    assert alone[:2] == tables[0][1:3]
    assert not any("rank" in line for line in alone)
