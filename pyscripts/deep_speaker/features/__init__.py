"""From samples to the normalised voiced frames that networks see (stage 1).

Takes the recordings of a data directory; `extraction` writes features and voice activity as arks,
from which `source` reads normalised frames. Start with `front_ends`, then `recordings`, what there
is to do, `shards`, what a process makes of some at a time, and `work`, which keeps them.
"""
