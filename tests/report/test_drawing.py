"""Plots: the data that are drawn are those given, as text that is the same in every run."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from scipy.stats import norm

from deep_speaker.metrics.error_rates import error_rates
from deep_speaker.report import (
    det_curves,
    drawing,
    embedding_map,
    score_histograms,
    training_curves,
)
from deep_speaker.report.det_curves import DetPanel, det_curve, det_figure, format_percent
from deep_speaker.report.embedding_map import EmbeddingMap, embedding_figure, speaker_colours
from deep_speaker.report.score_histograms import histogram_figure, score_histogram
from deep_speaker.report.styles import phase_styles
from deep_speaker.report.training_curves import TrainingCurve, training_figure


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list:
    """The figures that are turned into text."""
    found = []
    to_svg = drawing.to_svg

    def keep(figure: drawing.Figure, *arguments: str) -> str:
        found.append(figure)
        return to_svg(figure, *arguments)

    for module in (det_curves, embedding_map, score_histograms, training_curves):
        monkeypatch.setattr(module, "to_svg", keep)
    return found


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(svg: str) -> list[str]:
    return [
        "".join(each.itertext()) for each in parse(svg).iter("{http://www.w3.org/2000/svg}text")
    ]


def make_curves() -> dict:
    rng = np.random.default_rng(0)
    is_target = rng.random(500) < 0.5
    return {
        phase: det_curve(error_rates(rng.normal(size=500) + gain * is_target, is_target))
        for phase, gain in {"statistics": 1, "finetuning": 3}.items()
    }


def test_det_curves_are_drawn_on_probit_axes(drawn: list) -> None:
    curves = make_curves()
    svg = det_figure("det", [DetPanel("Phases", curves, phase_styles(curves))])
    (axes,) = drawn[0].axes
    lines = {line.get_label(): line for line in axes.lines}
    (label,) = [label for label in lines if "finetuning" in label]
    assert label.startswith(format_percent(curves["finetuning"].eer))
    x, y = lines[label].get_data()
    inside = (x > -3) & (x < 3) & (y > -3) & (y < 3)
    assert norm.cdf(x[inside]) == pytest.approx(curves["finetuning"].false_alarm[inside])
    assert norm.cdf(y[inside]) == pytest.approx(curves["finetuning"].miss[inside])
    diagonal = axes.lines[0].get_data()
    assert list(diagonal[0]) == list(diagonal[1])
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    (x,), (y,) = dots[1].get_data()
    assert (norm.cdf(x), norm.cdf(y)) == pytest.approx(
        curves["finetuning"].min_dcf_point, abs=0.011
    )
    assert {"false alarms, %", "misses, %", "Phases", "0.5", "20"} <= set(texts(svg))


def test_histograms_mark_thresholds_and_show_all_phases(drawn: list) -> None:
    rng = np.random.default_rng(0)
    is_target = rng.random(400) < 0.5
    made = {
        phase: score_histogram(5 * rng.normal(size=400) + 9 * is_target, is_target)
        for phase in ("statistics", "pretraining", "finetuning")
    }
    found = {phase: histogram for phase, histogram in made.items() if histogram}
    thresholds = {"p = 0.01": 4.595, "p = 0.05": 2.944}
    styles = phase_styles(found)
    svg = histogram_figure("h", found, "finetuning", "LLR, nats", thresholds, styles)
    main, *others = drawn[0].axes
    assert [axes.get_title(loc="left") for axes in others] == ["statistics", "pretraining"]
    assert sorted(line.get_xdata()[0] for line in main.lines) == [2.944, 4.595]
    values = [patch.get_data().values for patch in main.patches]
    assert np.array_equal(values[0], found["finetuning"].nontarget)
    assert np.array_equal(values[1], found["finetuning"].target)
    assert {"nontarget", "target", "p = 0.01", "LLR, nats", "density"} <= set(texts(svg))
    alone = {"finetuning": found["finetuning"]}
    assert "p = 0.01" not in texts(histogram_figure("h", alone, "finetuning", "score", {}, styles))


def make_history(**figures: list[float | None]) -> TrainingCurve:
    names = ("loss", "held_out_eer_percent", "hard_share", "learning_rate")
    empty: list[float | None] = [None, None]
    return TrainingCurve("pretraining", 1, {name: figures.get(name, empty) for name in names}, 1)


@pytest.mark.parametrize(
    ("history", "titles"),
    [
        (make_history(loss=[2.0, 1.0]), ["training loss"]),
        (
            make_history(loss=[0.0, 1.0], learning_rate=[0.1, 0.0]),
            ["training loss", "learning rate"],
        ),
        (
            make_history(loss=[2.0, None], held_out_eer_percent=[5.0, 4.0], hard_share=[0.5, 0.1]),
            ["training loss", "EER of held-out speakers, %", "share of hard negatives"],
        ),
    ],
)
def test_only_figures_that_there_are_have_panels(
    history: TrainingCurve, titles: list[str], drawn: list
) -> None:
    training_figure("t", [history], phase_styles(["pretraining"]))
    visible = [axes for axes in drawn[0].axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in visible] == titles
    x, y = visible[0].lines[0].get_data()
    assert (list(x), y[0]) == ([1, 2], history.figures["loss"][0])
    assert visible[0].get_yscale() == ("linear" if 0.0 in history.figures["loss"] else "log")


def make_map(count: int, sexes: str) -> EmbeddingMap:
    rng = np.random.default_rng(0)
    speakers = [f"{'long-name-of-' * (i % 2)}{i % 4}" for i in range(count)]
    return EmbeddingMap(
        rng.normal(size=(count, 2)),
        speakers,
        [sexes[i % 4 % len(sexes)] for i in range(count)],
        4,
        count,
    )


def test_the_map_names_speakers_and_sexes(drawn: list) -> None:
    found = set(texts(embedding_figure("map", make_map(40, "fm"))))
    assert found == {"0", "…name-of-1", "2", "…name-of-3", "female", "male"}
    points = np.concatenate([each.get_offsets() for each in drawn[0].axes[0].collections])
    assert len(points) == 40


@pytest.mark.filterwarnings("error")
def test_names_in_any_script() -> None:
    embeddings = make_map(8, "f")._replace(speakers=["说话人"] * 8)
    assert "说话人" in texts(embedding_figure("map", embeddings))


def test_texts_are_escaped_and_never_mathematics() -> None:
    embeddings = make_map(8, "f")._replace(speakers=["<b>&$x$"] * 8)
    assert "<b>&$x$" in texts(embedding_figure("map", embeddings))


def test_ids_start_with_the_plot_s_name() -> None:
    curves = make_curves()
    svg = det_figure('a <"', [DetPanel("Phases", curves, phase_styles(curves))])
    ids = re.findall(r'\bid="([^"]*)"', svg)
    assert ids
    assert all(re.fullmatch(r"a_20__3c__22_-[\w.]+", each) for each in ids)


def test_the_same_data_give_the_same_text() -> None:
    curves = make_curves()
    once, again = (det_figure("d", [DetPanel("P", curves, phase_styles(curves))]) for _ in range(2))
    assert once == again
    for word in ("purl.org", "matplotlib.org", "<metadata"):
        assert word not in once


def test_colours_of_speakers_differ() -> None:
    colours = speaker_colours(40)
    gaps = np.abs(colours[:, None] - colours[None]).sum(axis=2) + 3 * np.eye(40)
    assert gaps.min() > 0.05
    assert ((colours >= 0) & (colours <= 1)).all()
