"""Figures in words, the same on the command line and on the page."""

SMALLEST = 0.001  # shares closer to 0 or 1 are not known that well


def percent(share: float) -> str:
    """Return a share in per cent.

    >>> percent(0.0777), percent(0.99997), percent(0.0)
    ('7.8 %', 'over 99.9 %', 'under 0.1 %')
    """
    if share < SMALLEST:
        return f"under {100 * SMALLEST:.1f} %"
    if share > 1 - SMALLEST:
        return f"over {100 * (1 - SMALLEST):.1f} %"
    return f"{100 * share:.1f} %"
