"""Plots as text: escaped, in any script, with ids of their own, the same in every run."""

import re

import pytest

from deep_speaker.report.det_curves import det_figure
from deep_speaker.report.embedding_map import embedding_figure
from support.plots import make_map, make_panel, texts


@pytest.mark.filterwarnings("error")
def test_names_in_any_script() -> None:
    embeddings = make_map(8, "f")._replace(speakers=["说话人"] * 8)
    assert "说话人" in texts(embedding_figure("map", embeddings))


def test_texts_are_escaped_and_never_mathematics() -> None:
    embeddings = make_map(8, "f")._replace(speakers=["<b>&$x$"] * 8)
    assert "<b>&$x$" in texts(embedding_figure("map", embeddings))


def test_ids_start_with_the_plot_s_name() -> None:
    svg = det_figure('a <"', [make_panel()])
    ids = re.findall(r'\bid="([^"]*)"', svg)
    assert ids
    assert all(re.fullmatch(r"a_20__3c__22_-[\w.]+", each) for each in ids)


def test_the_same_data_give_the_same_text() -> None:
    once, again = (det_figure("d", [make_panel()]) for _ in range(2))
    assert once == again
    for word in ("purl.org", "matplotlib.org", "<metadata"):
        assert word not in once
