"""The report of an experiment: whole, self-contained, escaped; what is absent is left out."""

import json
import re
import shutil
from pathlib import Path

import pytest

import write_report as command
from deep_speaker.kaldi.tables import write_table
from deep_speaker.report.page import write_report
from support.html_pages import Page, read_report, report
from support.report_experiments import PHASES, Made, make_reported, write_rows


def test_it_holds_every_phase_back_end_and_section(whole: Made) -> None:
    html = read_report(whole)
    page = Page(html)
    for word in [*PHASES, "cosine", "plda", "Same-sex trials", "1 h 02 min"]:
        assert word in page.text
    listed = re.findall(r"([a-f]-[0-3])/wav/(\S+)\.wav", page.text)
    assert len(listed) == 40  # two sides of ten targets and ten nontargets
    assert all(key == file for key, file in listed)
    assert html.count("<svg ") == 4  # DET, histograms, training, embeddings
    assert html.count("</tr>") > 40
    assert "276 trials: 36 target, 240 nontarget" in page.text
    assert "learning rate" in page.text
    assert "seed of weights" in page.text


def test_nothing_is_fetched_or_run(whole: Made) -> None:
    html = read_report(whole)
    page = Page(html)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "base"}
    for name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "action", "srcset"):
            assert re.match(r"#|data:image/png;base64,", value or "")
    assert set(re.findall(r"url\((.)", html)) <= {"#"}
    assert "@import" not in html
    namespaces = re.findall(r'xmlns(?::\w+)?="[^"]*"', html)
    assert len(re.findall("https?://", html)) == len(namespaces) > 0


def test_ids_of_elements_are_unique(whole: Made) -> None:
    ids = [value for name, value in Page(read_report(whole)).attributes if name == "id"]
    assert len(ids) == len(set(ids)) > 20
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', read_report(whole)))
    assert used <= set(ids)


def test_two_runs_write_the_same(made: Made) -> None:
    assert report(made) == report(made)


def test_ids_are_escaped(tmp_path: Path) -> None:
    made = make_reported(tmp_path, prefix='<b>&"$x$')
    page = Page(report(made))
    assert len(re.findall(r'<b>&"\$x\$[a-f]-[0-3]/wav', page.text)) == 40
    assert '<b>&"$x$f' in page.text  # in the map
    assert "<b>&" not in read_report(made)


def test_the_list_s_name_is_escaped(made: Made) -> None:
    for path in [*made.data_dir.glob("trials*"), *made.experiment_dir.glob("scores/*.trials*")]:
        path.rename(path.with_name(path.name.replace("trials", 'trials_<i>"', 1)))
    write_rows(made)
    page = Page(report(made))
    assert '<i>"' in page.text
    assert page.tags.isdisjoint({'i"'})
    assert 'id="<' not in read_report(made)


def test_all_that_is_optional_may_be_absent(made: Made) -> None:
    for phase in ("pretraining", "finetuning"):
        shutil.rmtree(made.experiment_dir / phase)
    shutil.rmtree(made.data_dir.parent / "train")
    for path in (
        *made.experiment_dir.glob("scores/*calibration*"),
        made.experiment_dir / "config.yaml",
        made.experiment_dir / "stage_seconds",
        made.data_dir.parent / "stage_seconds",
        made.data_dir / "spk2gender",
        made.data_dir / "utt2dur",
        made.data_dir / "wav.scp",
        made.data_dir / "trials_one_plus_99",
    ):
        path.unlink()
    write_rows(made, ["pretraining"])
    text = Page(report(made, ["pretraining"])).text
    for word in ("Same-sex trials", "Cllr:", "ACC %", "finetuning", "Back ends of"):
        assert (word in text) == (word == "Cllr:")  # a convention
    assert "No phase of this experiment has a training history" in text
    assert "No embeddings of pretraining" in text
    assert "No same-sex figures" in text
    assert "no config.yaml" in text
    assert "The scores are not calibrated" in text
    assert "floor, " not in text


def test_lists_of_all_kinds(made: Made) -> None:
    """Two lists for verification, one with its partner; a partner alone; identification."""
    scores = made.experiment_dir / "scores"
    for old, new in (
        ("trials", "trials_ar"),
        ("trials_one_plus_99", "trials_hard_one_plus_99"),
        ("trials_one_plus_99", "trials_ar_identification"),
    ):
        shutil.copy(made.data_dir / old, made.data_dir / new)
        for path in scores.glob(f"*.{old}.*"):
            shutil.copy(path, scores / path.name.replace(f".{old}.", f".{new}."))
    write_rows(made)
    html = report(made)
    text = Page(html).text
    assert html.count('class="card"') == 2
    assert html.count("<h2>Trials") == 4
    for title in ("Trials: ar", "Trials: hard", "Trials: ar_identification", "rank-1 %"):
        assert title in text
    assert html.count("Detection error trade-off</h3>") == 2
    assert html.count("<details><summary>Worst trials") == 2


@pytest.mark.parametrize(
    ("floors", "sentence"),
    [
        ({"untrained": 30.0}, r"The floor .*, untrained, .* 30\.00 %\."),
        ({"statistics": 0.0}, r"Not below .*: statistics .* 0\.00 %\. .*channel"),
        ({"untrained": 0.0, "statistics": 9.0}, r"Not below .*: untrained .* 0\.00 %\."),
        (
            {"statistics/plda": 90.0, "untrained/plda": 91.0},
            r"The lowest floor, statistics with plda, .* 90\.00 %\.",
        ),
    ],
)
def test_the_floor_of_the_headline_in_words(
    floors: dict[str, float], sentence: str, made: Made
) -> None:
    path = made.experiment_dir / "results.json"
    rows = []
    for row in json.loads(path.read_text()):
        for floor, error in floors.items():
            phase, _, backend = floor.partition("/")
            if row["phase"] == phase:
                row |= {"eer_percent": error, "backend": backend or "cosine"}
        if row["phase"] in ("finetuning", *(floor.partition("/")[0] for floor in floors)):
            rows.append(row)
    path.write_text(json.dumps(rows))
    phases = [phase for phase in PHASES if any(row["phase"] == phase for row in rows)]
    text = " ".join(Page(report(made, phases)).text.split())
    assert re.search(sentence, text)
    assert ("be the channel" in text) == ("channel" in sentence)


def test_a_broken_history_costs_its_curves(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    (made.experiment_dir / "pretraining/history.json").write_text("[{")
    html = report(made)
    assert html.count('aria-label="Training curves"') == 1
    assert "pretraining/history.json: not JSON" in caplog.text


def test_fused_embeddings_are_drawn(made: Made) -> None:
    for path in [made.experiment_dir / "finetuning", *made.experiment_dir.glob("scores/fine*")]:
        path.rename(path.with_name(path.name.replace("finetuning", "fusion")))
    shutil.rmtree(made.experiment_dir / "pretraining")
    write_rows(made, ["fusion"])
    html = report(made, ["fusion"])
    assert 'id="map-' in html
    assert "<h2>Test embeddings of fusion</h2>" in html


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("no results", r"results\.json .*stage 6"),
        ("a phase more", r"results\.json: .*other"),
        ("broken seconds", r"stage_seconds: .*'stage_0 soon'"),
        ("broken duration", r"utt2dur: a-0 .*'long'"),
        ("scores lost", r"finetuning\.trials\.cosine: .*276"),
    ],
)
def test_bad_input_is_named_and_the_old_report_stays(change: str, message: str, made: Made) -> None:
    phases = PHASES
    if change == "no results":
        (made.experiment_dir / "results.json").unlink()
    elif change == "a phase more":
        phases = [*PHASES, "other"]
    elif change == "broken seconds":
        write_table(made.experiment_dir / "stage_seconds", {"stage_0": "soon"})
    elif change == "broken duration":
        write_table(made.data_dir / "utt2dur", {"a-0": "long"})
    else:
        path = made.experiment_dir / "scores/finetuning.trials.cosine"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    before = read_report(made)
    with pytest.raises(ValueError, match=message):
        write_report(made.data_dir, made.experiment_dir, phases)
    assert read_report(made) == before
    assert not list(made.experiment_dir.glob("*.partial"))


def test_the_command(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    (made.experiment_dir / "report.html").unlink()
    folders = [str(folder) for folder in made]
    monkeypatch.setattr("sys.argv", ["write_report.py", *folders, *PHASES])
    command.main()
    assert json.loads((made.experiment_dir / "results.json").read_text())
    assert "finetuning" in read_report(made)
