"""Speaker verification with Deep Speaker (Li et al. 2017, arXiv 1705.02304) on Kaldi tables.

The rooms follow the walk of an utterance, each importing only those before it: system, metrics,
config, kaldi, trials, validation, corpora, features, copies, networks, losses, embeddings, scoring,
training, results, report. Each one's docstring says where to start reading.
"""
