"""From samples to the normalised voiced frames that networks see (stage 1).

Takes the recordings of a data directory; `extraction` writes features and voice activity as arks,
from which `source` reads normalised frames. Start with `front_ends`, then `shards`, what a process
makes at a time, and `work`, which cuts and keeps them.
"""
