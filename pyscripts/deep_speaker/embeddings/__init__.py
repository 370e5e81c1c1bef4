"""From frames to x-vector directories, by a network or by statistics of the channel (stage 4).

Start with `inference` (frames to vectors), then `extraction` (a data directory to an x-vector
directory, whose form is in `xvectors`). `channel_floor` is the floor that has no network.
"""
