"""Plots to draw, and the texts in them."""

import xml.etree.ElementTree as ElementTree

import numpy as np

from deep_speaker.metrics.error_rates import error_rates
from deep_speaker.report.det_curves import DetCurve, DetPanel, det_curve
from deep_speaker.report.embedding_map import EmbeddingMap
from deep_speaker.report.styles import phase_styles


def texts(svg: str) -> list[str]:
    """Return the texts of a plot, which must be good XML."""
    found = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(each.itertext()) for each in found]


def make_curves() -> dict[str, DetCurve]:
    """Make the curves of a weak and a strong phase."""
    rng = np.random.default_rng(0)
    is_target = rng.random(500) < 0.5
    return {
        phase: det_curve(error_rates(rng.normal(size=500) + gain * is_target, is_target))
        for phase, gain in {"statistics": 1, "finetuning": 3}.items()
    }


def make_panel() -> DetPanel:
    """Make a panel of both curves."""
    curves = make_curves()
    return DetPanel("Phases", curves, phase_styles(curves))


def make_map(count: int, sexes: str) -> EmbeddingMap:
    """Make a map of four speakers, two of them with long names.

    Args:
        sexes: of the speakers in turn.
    """
    rng = np.random.default_rng(0)
    speakers = [f"{'long-name-of-' * (i % 2)}{i % 4}" for i in range(count)]
    return EmbeddingMap(
        rng.normal(size=(count, 2)),
        speakers,
        [sexes[i % 4 % len(sexes)] for i in range(count)],
        4,
        count,
    )
