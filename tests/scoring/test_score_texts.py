"""Scores as texts, against those of Python."""

import numpy as np
import pytest
from numpy.typing import DTypeLike

from deep_speaker.kaldi.words import join_words
from deep_speaker.scoring.score_texts import format_scores, is_score, parse_scores

RNG = np.random.default_rng(0)
ODD = [0.0, -0.0, 1e-8, -1e-8, 4.9999999e-8, 5e-8, 9999.99999996, -9999.9999999, 10000, 1e15,
       -1e300, np.inf, -np.inf, np.nan, 0.99999995, 0.99999994, 1e-320, 123456.5]  # fmt: skip
SCALES = [1e-7, 1e-3, 1, 30, 1e3, 1e6]


def texts_of(scores: np.ndarray) -> list[bytes]:
    return [text.replace(b"\0", b"") for text in format_scores(scores).tolist()]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", SCALES)
def test_texts_are_those_of_printf(scale: float, dtype: DTypeLike) -> None:
    scores = (RNG.normal(0, scale, 20000)).astype(dtype)
    assert texts_of(scores) == [b"%.7f" % score for score in scores.tolist()]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_middle_between_two_texts_goes_to_the_even_one_as_in_printf(dtype: DTypeLike) -> None:
    """An odd number over 2^8 is in the middle, exactly; the others are as near as may be."""
    middles = np.concatenate([np.arange(-9999, 9999, 2) / 2**8, (np.arange(20000) + 0.5) / 1e7])
    near = [np.nextafter(middles, to) for to in (-np.inf, np.inf)]
    scores = np.concatenate([middles, *near]).astype(dtype)
    assert texts_of(scores) == [b"%.7f" % score for score in scores.tolist()]
    assert texts_of(np.array([1 / 2**8, 3 / 2**8], dtype)) == [b"0.0039062", b"0.0117188"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_odd_scores_are_written_as_by_printf(dtype: DTypeLike) -> None:
    with np.errstate(over="ignore"):
        scores = np.array(ODD).astype(dtype)
    assert texts_of(scores) == [b"%.7f" % score for score in scores.tolist()]
    assert texts_of(np.empty(0, dtype)) == []


def test_texts_are_read_as_by_python() -> None:
    """Bit for bit, of whatever length they are."""
    scores = [float(score) for scale in SCALES for score in RNG.normal(0, scale, 3000)]
    texts = [f"{score:.7f}" for score in [*scores, *ODD]]
    texts += [str(score) for score in scores[::9]] + [f"{score:.5e}" for score in scores[::9]]
    texts += ["1", "-.5", ".1234567", "-.1234567", "+1.1234567", "1_0.1234567", "99999999.9999999",
              "-9999999.9999999", "123456789.1234567", "0012.1234567", "-0.0000000"]  # fmt: skip
    found = parse_scores(join_words([text.encode() for text in texts]))
    expected = np.array([float(text) for text in texts])
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    "text", ["--1.1234567", "1.12345678:", "1.123456:", "1:1234567", "0x.1234567", "1/.1234567",
             "1.1234-67", "-", "a", "1,1234567", "1-.1234567"]
)  # fmt: skip
def test_what_is_no_number_is_refused(text: str) -> None:
    assert not is_score(text)
    with pytest.raises(ValueError):
        parse_scores(join_words([b"1.1234567", text.encode(), b"1.1234567"]))
