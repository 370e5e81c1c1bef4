"""What the machine can do at best: products of matrices, and copies of memory."""

from collections.abc import Callable

import torch

from benchmarks.comparison import Side

SIZE = 4096
COPIED = 1 << 28  # bytes: beyond any cache but the largest


def matmul(precision: torch.dtype) -> Side:
    """Return the product of two large square matrices; its amount is in GFLOP."""
    left, right = (torch.randn(SIZE, SIZE).to(precision) for _ in range(2))
    return Side(lambda: left @ right, 2 * SIZE**3 / 1e9)


def memory_copy() -> Side:
    """Return the copy of a large block of memory; its amount is in GB, read and written."""
    source = torch.zeros(COPIED, dtype=torch.uint8)
    target = torch.empty_like(source)
    copy: Callable[[], object] = lambda: target.copy_(source)  # noqa: E731
    return Side(copy, 2 * COPIED / 1e9)
