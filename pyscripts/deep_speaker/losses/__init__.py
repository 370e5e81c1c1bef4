"""Training losses, and the mining of negatives.

A loss maps embeddings (batch, dim) and speakers' numbers (batch,) to a scalar and figures to log.
Start with `registry`, the table of all, then `base`.
"""
