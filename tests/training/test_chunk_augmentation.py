"""Random changes of chunks: their sizes as configured, in physical units."""

import numpy as np
import pytest

from deep_speaker.config import Augmentation
from deep_speaker.training.chunk_augmentation import (
    EQUALISER_KNOTS,
    add_noise,
    augment,
    mask,
    random_equaliser,
)

DB = np.log(10) / 10  # natural-log units of power in a decibel


def make_chunks(batch: int = 64, frames: int = 40, mels: int = 16, seed: int = 0) -> np.ndarray:
    shape = (batch, frames, mels)
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def augmented(chunks: np.ndarray, options: Augmentation, seed: int = 0) -> np.ndarray:
    """Return the chunks changed, each in turn by the same generator, at scale 3."""
    changed, rng = chunks.copy(), np.random.default_rng(seed)
    for chunk in changed:
        augment(chunk, options, 3, rng)
    return changed


def test_all_off_changes_nothing() -> None:
    chunks = make_chunks()
    assert np.array_equal(augmented(chunks, Augmentation()), chunks)
    assert not Augmentation().is_on


@pytest.mark.parametrize(
    "options",
    [
        {"equaliser_db": 2},
        {"noise_probability": 0.5},
        {"frequency_mask_bins": 4},
        {"time_mask_frames": 9},
    ],
)
def test_the_seed_decides_every_change(options: dict[str, float]) -> None:
    chunks = make_chunks()
    wanted = Augmentation.model_validate(options)
    assert wanted.is_on
    first, again, other = (augmented(chunks, wanted, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, chunks)


@pytest.mark.parametrize("widest", [6, 3, 100])
def test_masks_are_one_band_of_at_most_the_widest_at_every_place(widest: int) -> None:
    batch, size = 4000, 12
    masked, rng = np.ones((batch, size, 5)), np.random.default_rng(0)
    for chunk in masked:
        mask(chunk, widest, rng)
    zeros = (masked == 0).all(axis=2)  # (batch, size)
    assert np.array_equal(np.isin(masked, (0, 1)), np.ones_like(masked, bool))
    assert ((masked == 0).sum(axis=(1, 2)) == 5 * zeros.sum(axis=1)).all()  # whole lines
    widths = zeros.sum(axis=1)
    expected = min(widest, size)
    assert np.bincount(widths) / batch == pytest.approx(1 / (expected + 1), abs=0.03)
    rises = (np.diff(zeros.astype(int), axis=1, prepend=0) == 1).sum(axis=1)
    assert (rises == (widths > 0)).all()  # one band
    ends = zeros[widths == 1] if widest < size else zeros[widths == size - 1]
    assert ends[:, 0].any()
    assert ends[:, -1].any()


def test_masks_of_bins_and_of_frames_are_as_wide_as_each_may_be() -> None:
    chunks = np.ones((500, 40, 16), np.float32)
    bins = augmented(chunks, Augmentation(frequency_mask_bins=4)) == 0
    frames = augmented(chunks, Augmentation(time_mask_frames=9)) == 0
    assert np.array_equal(bins.any(axis=1), bins.all(axis=1))
    assert np.array_equal(frames.any(axis=2), frames.all(axis=2))
    assert bins.all(axis=1).sum(axis=1).max() == 4
    assert frames.all(axis=2).sum(axis=1).max() == 9


def test_equaliser_is_constant_over_time_and_spreads_as_configured() -> None:
    mels = 5 * (EQUALISER_KNOTS - 1) + 1  # every fifth bin is a knot
    chunks = make_chunks(5000, 3, mels)
    change = augmented(chunks, Augmentation(equaliser_db=2)) - chunks
    assert np.abs(change - change[:, :1]).max() < 1e-6
    gain_db = change[:, 0] * 3 / DB
    assert gain_db.mean(axis=0) == pytest.approx(0, abs=0.15)
    assert gain_db[:, ::5].std(axis=0) == pytest.approx(2, rel=0.05)
    # Half way between two independent knots the deviation is 2 / sqrt(2); linear in between.
    curve = random_equaliser(mels, 2, np.random.default_rng(1))
    assert curve[7] == pytest.approx((3 * curve[5] + 2 * curve[10]) / 5, abs=1e-5)


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_noise_fills_silence_to_the_stated_ratio(snr_db: float, scale: float) -> None:
    """Half the frames are silent: loud / silent power becomes 1 + 2 SNR.

    The middle bin has no tilt; only ratios within a bin survive the removal of the mean.
    """
    log_power = np.full((2000, 5), -30.0, np.float32)
    log_power[::2] = 0.0
    noisy = log_power / np.float32(scale)
    add_noise(noisy, (snr_db, snr_db), scale, np.random.default_rng(0))
    power = np.exp(noisy[:, 2].astype(np.float64) * scale)
    ratio_db = 10 * np.log10(power[::2].mean() / power[1::2].mean())
    assert ratio_db == pytest.approx(10 * np.log10(1 + 2 * 10 ** (snr_db / 10)), abs=0.15)
    # Each frame's noise deviates by a quarter: 1 dB.
    assert power[1::2].std() / power[1::2].mean() == pytest.approx(0.25, abs=0.02)


def test_noise_keeps_the_mean_of_each_bin_and_its_share_of_chunks() -> None:
    chunks = make_chunks(2000, 10, 4)
    options = Augmentation(noise_probability=0.3, noise_snr_db=(5, 25))
    noisy = augmented(chunks, options)
    assert noisy.mean(axis=1) == pytest.approx(chunks.mean(axis=1), abs=1e-5)
    changed = (noisy != chunks).any(axis=(1, 2))
    assert changed.mean() == pytest.approx(0.3, abs=0.04)
    assert np.isfinite(noisy).all()


def test_noise_of_a_higher_ratio_changes_less() -> None:
    chunks = make_chunks()
    changes = []
    for snr_db in (0, 15, 30, 60):
        options = Augmentation(noise_probability=1, noise_snr_db=(snr_db, snr_db))
        changes.append(float(np.abs(augmented(chunks, options) - chunks).mean()))
    assert changes == sorted(changes, reverse=True)
    assert changes[0] > 0.5
    assert changes[-1] < 1e-2
