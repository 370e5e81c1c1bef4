"""Speaker networks, their poolings and checkpoints.

A network maps filterbanks (batch, frames, bins) to embeddings (batch, embedding_dim). Start with
`registry`, the table of all, then `speaker_network`; `rescnn` is the shortest example.
"""
