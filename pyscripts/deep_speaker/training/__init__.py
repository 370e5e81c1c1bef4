"""Training of a network, phase by phase: batches, steps, judging, checkpoints (stages 2 and 3).

Takes a data directory with features and an experiment, and leaves a folder with the best
checkpoint. Start with `loop` (all epochs of a phase), then `trainer` (one epoch); `setup` builds
the trainer.
"""
