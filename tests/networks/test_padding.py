"""Padding after an utterance, and the rest of its batch, have no influence on its embedding."""

from typing import Any

import pytest
import torch

from deep_speaker.networks.registry import NETWORKS
from support.tiny_networks import BINS, make_network, with_batch_norm


def assert_padding_has_no_influence(network: Any, bins: int = BINS) -> None:
    fewest = network.fewest_frames
    lengths = torch.tensor([fewest + 41, fewest, fewest + 1, fewest + 12, fewest + 27])
    fbanks = torch.randn(len(lengths), fewest + 41, bins) * 2 + 1
    fbanks *= torch.arange(fewest + 41)[None, :, None] < lengths[:, None, None]
    with torch.inference_mode():
        together = network(fbanks, lengths)
        for i, length in enumerate(lengths):
            alone = network(fbanks[i : i + 1, :length])[0]
            torch.testing.assert_close(together[i], alone, rtol=3e-5, atol=3e-5)
        whole = network(fbanks[:1], lengths[:1])
        torch.testing.assert_close(whole, network(fbanks[:1]), rtol=3e-5, atol=3e-5)


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("pooling", ["average", "attentive_statistics"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_padded_utterance_has_the_embedding_it_has_alone(
    name: str, pooling: str, normalise: bool
) -> None:
    network = with_batch_norm(make_network(name, normalise=normalise, pooling=pooling))
    assert_padding_has_no_influence(network)


@pytest.mark.parametrize("bins", [16, 17, 18])
def test_padding_has_no_influence_where_its_place_depends_on_the_size(bins: int) -> None:
    network = with_batch_norm(make_network("rescnn", bins, variant="keras"))
    assert_padding_has_no_influence(network, bins)


@pytest.mark.parametrize("pooling", ["maximum", "self_attentive", "statistics"])
def test_padding_has_no_influence_on_the_other_poolings(pooling: str) -> None:
    assert_padding_has_no_influence(with_batch_norm(make_network("resnetse34", pooling=pooling)))


def test_an_embedding_does_not_depend_on_the_rest_of_its_batch() -> None:
    network = with_batch_norm(make_network("resnetse34l"))
    fbanks = torch.randn(6, 40, BINS)
    together = network(fbanks)
    alone = torch.cat([network(fbanks[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, alone, rtol=3e-5, atol=3e-5)


@pytest.mark.parametrize("lengths", [[80], [80, 80, 80], [80, 81]])
def test_lengths_that_do_not_fit_the_batch_are_refused(lengths: list[int]) -> None:
    with pytest.raises(
        ValueError, match=rf"\({len(lengths)},\) up to {max(lengths)} .* 2 .* 80 frames"
    ):
        make_network("rescnn")(torch.randn(2, 80, BINS), torch.tensor(lengths))
