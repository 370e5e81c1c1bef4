"""From frames to x-vector directories, by a network or by channel statistics (stage 4).

Takes a data directory with features and a checkpoint, and gives an x-vector directory, whose form
is in `xvectors`. Start with `pieces` (what is embedded of an utterance) and `inference` (frames to
vectors), then `extraction` (whole data directories; `settling` chooses how). `channel_floor` needs
no network; `fusion` joins the vectors of several systems.
"""
