"""Losses that train a network, and the mining of negatives (stages 2 and 3).

A loss maps embeddings (batch, dim) and speakers' numbers (batch,) to a scalar and figures to log.
Start with `registry`, the table of all, then `base`.
"""
