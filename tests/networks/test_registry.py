"""Every network: any input it takes, gradients, autocast, seeded weights."""

import pytest
import torch

from deep_speaker.networks.devices import to_device
from deep_speaker.networks.registry import NETWORKS
from support.tiny_networks import BINS, make_network, with_batch_norm


@pytest.mark.parametrize("name", NETWORKS)
def test_another_number_of_bins_is_refused(name: str) -> None:
    network = make_network(name)
    for bins in (BINS - 1, BINS + 1):
        with pytest.raises(ValueError, match=f" {bins} bins: .* {BINS}$"):
            network(torch.randn(2, 80, bins))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("bins", [1, 2, 5, 40, 257])
def test_any_number_of_frames_and_bins_gives_an_embedding(name: str, bins: int) -> None:
    if name == "vggvox40" and bins < 15:
        with pytest.raises(ValueError, match=f"{bins} bins .*vggvox40: .*15"):
            make_network(name, bins)
        return
    network = make_network(name, bins, normalise=True).eval()
    with torch.inference_mode():
        for frames in (network.fewest_frames, network.fewest_frames + 7):
            embeddings = network(torch.randn(3, frames, bins))
            assert embeddings.shape == (3, 8)
            assert embeddings.dtype == torch.float32
            assert embeddings.isfinite().all()


@pytest.mark.parametrize("pooling", ["average", "attentive_statistics"])
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_parameter(name: str, pooling: str) -> None:
    network = make_network(name, pooling=pooling).train()
    embeddings = network(torch.randn(6, network.fewest_frames + 60, BINS))
    (embeddings * torch.randn_like(embeddings)).sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize("name", NETWORKS)
def test_the_output_is_float32_inside_autocast(name: str) -> None:
    network = to_device(make_network(name), torch.device("cpu"))
    fbanks = torch.randn(4, 80, BINS)
    with torch.autocast("cpu", torch.bfloat16):
        network(fbanks).square().sum().backward()
    assert all(
        value.grad.isfinite().all() for value in network.parameters() if value.grad is not None
    )
    with_batch_norm(network)
    with torch.no_grad():
        plain = network(fbanks)
        with torch.autocast("cpu", torch.bfloat16):
            cast = network(fbanks)
    assert cast.dtype == torch.float32
    assert (cast - plain).abs().max() < 0.05 * plain.abs().max()
    assert not torch.equal(cast, plain)  # it did compute in bfloat16


@pytest.mark.parametrize("name", NETWORKS)
def test_seeded_weights_repeat(name: str) -> None:
    first, again, other = (make_network(name, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    weight = "base.affine.weight" if name == "window_average" else "affine.weight"
    assert not torch.equal(first[weight], other[weight])
