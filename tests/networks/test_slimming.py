"""The choice of channels against brute force, and the regression against scikit-learn's."""

import copy

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from deep_speaker.networks.slimming import Moments, choose_channels, correct
from deep_speaker.networks.tdnn import TimeDelay


def draw_rows(seed: int, count: int = 200, channels: int = 9) -> Tensor:
    """Rows of channels that go along with one another, far from a mean of 0."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(channels, channels, generator=generator)
    rows = torch.randn(count, channels, generator=generator, dtype=torch.float64)
    return rows @ mixed.double() + 3


def covariance_of(rows: Tensor) -> Tensor:
    moments = Moments()
    for part in rows.split(64):
        moments.add(part)
    return moments.covariance()


def choose_by_hand(rows: np.ndarray, count: int) -> list[int]:
    """Add, each time, the channel that a regression on those before explains least."""
    centred = rows - rows.mean(axis=0)
    chosen: list[int] = []
    for _ in range(count):
        known = centred[:, chosen]
        left = centred - known @ np.linalg.lstsq(known, centred, rcond=None)[0]
        chosen.append(int(left.var(axis=0).argmax()))
    return sorted(chosen)


@pytest.mark.parametrize("seed", range(4))
def test_channels_are_those_that_the_others_before_explain_least(seed: int) -> None:
    rows = draw_rows(seed)
    assert torch.allclose(covariance_of(rows), rows.T.cov(correction=0))
    for count in (1, 3, 6, 9):
        found = choose_channels([covariance_of(rows)], count)
        assert found.tolist() == choose_by_hand(rows.numpy(), count)


def test_places_count_alike_whatever_their_scale() -> None:
    rows = draw_rows(0)
    places = [draw_rows(0), draw_rows(1)]
    for scale in (1, 1000):
        covariances = [covariance_of(places[0]), covariance_of(scale * places[1])]
        joined = [place / place.var(dim=0, correction=0).sum().sqrt() for place in places]
        # Rows of both, each around its own mean, have the mean of the covariances.
        both = torch.cat([place - place.mean(dim=0) for place in joined])
        assert choose_channels(covariances, 5).tolist() == choose_by_hand(both.numpy(), 5)
    assert choose_channels([covariance_of(rows)] * 2, 5).tolist() == choose_by_hand(rows.numpy(), 5)


def test_of_equal_channels_one_is_kept() -> None:
    rows = draw_rows(2, channels=5).repeat_interleave(2, dim=1)
    assert sorted((choose_channels([covariance_of(rows)], 5) // 2).tolist()) == list(range(5))


@pytest.mark.parametrize("strength", [1e-4, 0.5, 20.0])
def test_the_regression_is_ridge_by_mean_variances(strength: float) -> None:
    x, y = draw_rows(3), draw_rows(4)[:, :4]
    moments = Moments()
    for part_x, part_y in zip(x.split(70), y.split(70), strict=True):
        moments.add(part_x, part_y)
    weight, bias = moments.regress(strength)
    alpha = strength * len(x) * x.numpy().var(axis=0).mean()
    theirs = Ridge(alpha=alpha).fit(x.numpy(), y.numpy())
    assert weight.numpy() == pytest.approx(theirs.coef_, abs=1e-9)
    assert bias.numpy() == pytest.approx(theirs.intercept_, abs=1e-9)


@torch.no_grad()
def test_a_corrected_layer_gives_what_is_wanted_of_several_frames() -> None:
    """A convolution learns another one; a strong ridge leaves it as it is."""
    torch.manual_seed(0)
    wanted, layer = TimeDelay(3, 4, 3, 2), TimeDelay(3, 4, 3, 2)
    maps = torch.randn(20, 3, 30, 1)
    moments = Moments()
    heard = layer.stack(maps).squeeze(3).transpose(1, 2).flatten(0, 1)
    left = wanted(maps)[0] - layer(maps)[0]
    moments.add(heard, left.squeeze(3).transpose(1, 2).flatten(0, 1))
    unchanged = copy.deepcopy(layer)
    correct(unchanged, moments, 1e9)
    torch.testing.assert_close(unchanged.weight, layer.weight)
    correct(layer, moments, 1e-9)
    torch.testing.assert_close(layer(maps)[0], wanted(maps)[0], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_linear_layer_of_which_only_the_bias_differs_keeps_its_weight() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(5, 2)
    rows, moments = torch.randn(50, 5), Moments()
    moments.add(rows, torch.tensor([1.0, -2.0]).expand(50, 2))
    weight, bias = layer.weight.clone(), layer.bias.clone()
    correct(layer, moments, 1e-4)
    torch.testing.assert_close(layer.weight, weight)
    torch.testing.assert_close(layer.bias, bias + torch.tensor([1.0, -2.0]))
