"""From samples to the normalised voiced frames that networks see (stage 1).

Front ends and voice activity make arks of a data directory (`extraction`), from which `source`
reads normalised frames. Start with `front_ends`, then `extraction`.
"""
