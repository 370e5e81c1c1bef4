"""Options of copies: those that make no sense, and the defaults."""

from typing import Any

import pytest
from pydantic import ValidationError

from deep_speaker.config import AugmentedCopies, Experiment
from support.tiny_data import make_experiment


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": []}, "kinds .*speeds"),
        ({"kinds": ["noise", "noise"]}, r"kinds \['noise', 'noise'\]"),
        ({"kinds": ["noise"], "copies_per_utterance": 2}, r"copies_per_utterance 2 .*kinds, 1"),
        ({"kinds": ["rain"]}, "'reverberation', 'noise', 'music' or 'babble'"),
        ({"speeds": [1]}, r"speeds \[1.0\]"),
        ({"speeds": [9]}, r"\nspeeds\.0\n.* 2 "),
        ({"volume": [2, 1]}, r"volume \[2.0, 1.0\]"),
        ({"babble_speakers": [7, 3]}, r"babble_speakers \[7, 3\]"),
        ({"noise_snrs_db": []}, r"\nnoise_snrs_db\n.*\b1\b"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AugmentedCopies(**options)


def test_the_defaults_are_the_recipes_and_off() -> None:
    assert Experiment(**make_experiment().model_dump()).augmented_copies is None
    options = AugmentedCopies()
    assert options.noise_snrs_db == (15, 10, 5, 0)
    assert options.music_snrs_db == (15, 10, 8, 5)
    assert options.babble_snrs_db == (20, 17, 15, 13)
    assert options.babble_speakers == (3, 7)
    assert (options.speeds, options.volume) == ((), None)
