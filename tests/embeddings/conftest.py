"""One thread, and exact arithmetic for comparisons of embeddings."""

import pytest

from deep_speaker.embeddings import extraction, inference
from deep_speaker.networks import devices
from support.threads import one_thread

__all__ = ["one_thread"]


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have float32 also where the processor has bfloat16, in which only three digits are right."""
    for where in (devices, inference):
        monkeypatch.setattr(where, "has_bfloat16", lambda device: False)
    extraction.open_extractor.cache_clear()
