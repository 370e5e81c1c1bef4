"""Weights that other projects published, or this one in models/, as checkpoints.

Takes a file as its project gives it out, or a model folder, and an experiment with its network and
front end; gives a `Checkpoint`. Start with `importing`; every project has a file of its own, which
names its weights; `model_folder` is this one's, and also writes such folders.
"""
