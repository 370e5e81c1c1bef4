"""The progress of an epoch: lines by a clock of the test."""

import pytest

from deep_speaker.training import progress
from deep_speaker.training.progress import StepProgress


@pytest.mark.parametrize(
    ("seconds_per_step", "lines"),
    [(2.9, []), (10.0, ["step 3 of 10, loss 3, 0.1 steps/s", "step 6 of 10, loss 6, 0.1 steps/s",
                        "step 9 of 10, loss 9, 0.1 steps/s"]),
     (40.0, [f"step {i} of 10, loss {i}, 0.025 steps/s" for i in range(1, 10)])],
)  # fmt: skip
def test_a_line_comes_every_half_minute_and_none_in_a_short_epoch(
    seconds_per_step: float,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where output is no terminal, as here; the last step is left to the line of the epoch."""
    now = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    caplog.set_level("INFO")
    shown = StepProgress("pretraining epoch 2/5", 10)
    for step in range(1, 11):
        now += seconds_per_step
        shown.show(float(step))
    assert caplog.messages == [f"pretraining epoch 2/5: {line}" for line in lines]


def test_a_resumed_epoch_tells_its_own_pace(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    caplog.set_level("INFO")
    shown = StepProgress("pretraining epoch 2/5", 10, done=6)
    for step in (7, 8):
        now += 20
        shown.show(float(step))
    assert caplog.messages == ["pretraining epoch 2/5: step 8 of 10, loss 8, 0.05 steps/s"]


def test_ranks_after_the_first_are_silent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress.ranks, "rank", lambda: 1)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    caplog.set_level("INFO")
    shown = StepProgress("pretraining epoch 2/5", 3)
    shown.show(1.0)
    assert not caplog.messages
