"""Places on scales and pictures, against what is known of sounds and tables."""

import base64
import io

import numpy as np
from matplotlib.image import imread

from deep_speaker.page.filterbanks import MOST_COLUMNS, draw_filterbanks, to_image
from deep_speaker.page.score_scale import densities, draw_scale
from deep_speaker.scoring.decision_table import measure_decisions
from deep_speaker.voices.recordings import Recording
from support.sounds import sine

RNG = np.random.default_rng(0)
SCORES = np.r_[RNG.normal(0.7, 0.1, 2000), RNG.normal(0.1, 0.2, 6000)]
IS_TARGET = np.arange(8000) < 2000
TABLE = measure_decisions("cosine", SCORES, IS_TARGET, np.ones(8000), (20.0, -10.0), 9)


def test_curves_have_the_means_and_areas_of_the_scores_behind_them() -> None:
    scores, same, different = densities(TABLE)
    for curve, mean in ((same, 0.7), (different, 0.1)):
        assert abs(curve.sum() - 1) < 1e-3
        assert abs((scores * curve).sum() - mean) < 0.01


def test_a_score_lies_where_its_number_says() -> None:
    scale = draw_scale(TABLE, 0.75, 0.5)
    places, labels = zip(*scale.ticks, strict=True)
    for place, score in ((scale.threshold, 0.5), (scale.score, 0.75)):
        assert abs(np.interp(place, places, [float(label) for label in labels]) - score) < 1e-6


def test_scores_beyond_all_that_were_measured_are_on_the_scale() -> None:
    assert draw_scale(TABLE, 5.0, 0.5).score == 100
    assert draw_scale(TABLE, -5.0, 0.5).score == 0


def pixels(source: str) -> np.ndarray:
    return imread(io.BytesIO(base64.b64decode(source.partition(",")[2])))


def recording(samples: np.ndarray) -> Recording:
    return Recording("tone", samples * 16384, 16000, 16000, 1.0)


def test_low_tones_are_dark_below_and_high_ones_above() -> None:
    """Rows are from the top; a bin of 80 at 300 Hz is among the lowest fifth, at 6 kHz the top."""
    darkest = {}
    for frequency in (300, 6000):
        image = pixels(draw_filterbanks("tone", recording(sine(frequency, 16000))).source)
        darkest[frequency] = image[..., :3].sum(axis=2).mean(axis=1).argmin() / len(image)
    assert darkest[300] > 0.8
    assert darkest[6000] < 0.15


def test_voice_is_marked_where_it_is() -> None:
    tone = sine(300, 16000, 1.0) * np.hanning(16000)
    samples = np.r_[np.zeros(16000), tone, np.zeros(32000)].astype(np.float32)
    samples += RNG.normal(0, 1e-4, len(samples)).astype(np.float32)
    picture = draw_filterbanks("tone", recording(samples))
    (stretch,) = [each for each in picture.voiced if each[1] > 5]
    assert abs(stretch[0] - 26) < 2 and abs(stretch[1] - 23) < 3
    assert {label: place for place, label in picture.ticks}["2"] == 50


def test_long_recordings_have_no_more_columns_than_a_page() -> None:
    image = pixels(to_image(RNG.normal(size=(12001, 80))))
    assert image.shape[0] == 80
    assert image.shape[1] <= MOST_COLUMNS
