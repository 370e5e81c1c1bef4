"""What the machine can do at best: products of matrices, and copies of memory."""

from pathlib import Path

import torch

from benchmarks.comparison import Comparison, Side, compare

SIZE = 4096  # of square matrices
COPIED = 1 << 28  # bytes: beyond most caches


def matmul(precision: torch.dtype, wanted: float | None = None) -> Side:
    """Return the product of two large square matrices; its amount is in GFLOP."""
    left, right = (torch.randn(SIZE, SIZE).to(precision) for _ in range(2))
    return Side(lambda: left @ right, 2 * SIZE**3 / 1e9, wanted)


def compare_all(scratch: Path) -> list[Comparison]:
    """Measure products on one thread and on all, and copies."""
    source = torch.zeros(COPIED, dtype=torch.uint8)
    target = torch.empty_like(source)
    cores, found = torch.get_num_threads(), []
    for threads in sorted({1, cores}):
        torch.set_num_threads(threads)
        products = {
            f"{kind} product": matmul(getattr(torch, kind)) for kind in ("bfloat16", "float32")
        }
        work = f"matrices of {SIZE}, {threads} thread{'s' * (threads > 1)}"
        found.append(compare("limit", work, "GFLOP", products))
    copy = Side(lambda: target.copy_(source), 2 * COPIED / 1e9)
    found.append(compare("limit", "memory, read and written", "GB", {"copy": copy}))
    torch.set_num_threads(cores)
    return found
