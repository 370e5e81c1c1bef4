"""Phases of training: batches, steps, judging, checkpoints (stages 2 and 3).

Takes a data directory with features and an experiment; leaves a folder with the best checkpoint.
Start with `run`, then `trainer` (one epoch); `setup` gathers what these need.
"""
