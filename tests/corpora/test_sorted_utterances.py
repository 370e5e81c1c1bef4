"""Utterances in a file: given back in Kaldi's order, whole, as often as asked."""

import random
import re
from pathlib import Path

import pytest

from deep_speaker.corpora.sorted_utterances import SortedUtterances
from deep_speaker.kaldi.utterances import Segment, Utterance
from deep_speaker.kaldi.wav_entries import AudioInfo

INFO = AudioInfo(16000, 24000, 2, "WAV", "PCM_16")
KEYS = ["a-1", "a-10", "a-2", "a.b-1", "ab-1", "é-1", "李-1", "\uff21-1", "\U00010400-1"]


def test_utterances_come_back_sorted_and_whole(tmp_path: Path) -> None:
    utterances = [
        Utterance(
            key,
            key.split("-")[0],
            f"sox 'my {i}.wav' -t wav - |",
            INFO,
            sex=("m", None)[i % 2],
            text=("zwei\twords\n", None, 'of "it"')[i % 3],
            segment=Segment(f"rec {i}", 0.1, 1.25) if i % 2 else None,
        )
        for i, key in enumerate(KEYS)
    ]
    shuffled = random.Random(0).sample(utterances, len(utterances))
    in_file = SortedUtterances(tmp_path / "set", iter(shuffled))
    assert list(in_file) == utterances == list(in_file)


def test_one_id_twice_comes_twice_side_by_side(tmp_path: Path) -> None:
    utterances = [
        Utterance(key, "a", f"/{i}.wav", INFO) for i, key in enumerate(["a-1", "a-2"] * 2)
    ]
    in_file = SortedUtterances(tmp_path / "set", utterances)
    assert [item.id for item in in_file] == ["a-1", "a-1", "a-2", "a-2"]


@pytest.mark.parametrize("key", ["", "a b", "a\tb", "a\nb", "a\x01", "a\x9b2J", "a\xa0b", "\udcff"])
def test_an_id_that_no_table_could_hold_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match=f"^utterance id {re.escape(repr(key))} "):
        SortedUtterances(tmp_path / "set", [Utterance(key, "a", "/a.wav", INFO)])
