"""Pieces in graphs: those that stage 4 cuts."""

import numpy as np
import pytest
import torch

from deep_speaker.config import Extraction
from deep_speaker.embeddings.pieces import cut_pieces, cut_samples
from deep_speaker.export.pieces import crops, take, whole_pieces


@pytest.mark.parametrize("num_crops", [1, 2, 7, 10, 50])
@pytest.mark.parametrize("num_frames", [3, 20, 21, 333, 1000])
def test_crops_are_those_of_stage_4(num_crops: int, num_frames: int) -> None:
    options = Extraction(method="crops", crop_frames=20, num_crops=num_crops)
    frames = np.arange(num_frames)[:, None]
    expected = np.stack(cut_pieces(frames, options))
    found = take(torch.from_numpy(frames), crops(num_frames, 20, options))
    assert found.tolist() == expected.tolist()
    samples = np.arange(num_frames)
    repeated = np.stack(cut_samples(samples, 20, options))
    assert crops(num_frames, 20, options, spare=1).tolist() == repeated.tolist()


@pytest.mark.parametrize("num_frames", [1, 4, 9, 10, 20, 30, 90])
def test_whole_utterances_and_equal_pieces_are_those_of_stage_4(num_frames: int) -> None:
    options = Extraction(max_frames=10)
    expected = np.stack(cut_pieces(np.arange(num_frames), options, fewest=6))
    assert whole_pieces(num_frames, options, 6).tolist() == expected.tolist()


def test_unequal_pieces_overlap_by_at_most_a_frame() -> None:
    for num_frames in range(11, 200):
        pieces = whole_pieces(num_frames, Extraction(max_frames=10), 6).numpy()
        assert len(pieces) == -(-num_frames // 10)
        assert pieces.shape[1] <= 10
        assert np.unique(pieces).tolist() == list(range(num_frames))
        assert set(np.diff(pieces, axis=1).flat) == {1}
        assert (pieces[:-1, -1] - pieces[1:, 0]).max() <= 0
