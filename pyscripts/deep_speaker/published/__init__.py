"""Weights that other projects published, as checkpoints of this one.

Takes a file as its project gives it out, and an experiment with its network and front end; gives a
`Checkpoint`. Start with `importing`; every project has a file of its own, which names its weights.
"""
