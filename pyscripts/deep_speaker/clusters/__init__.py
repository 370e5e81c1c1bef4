"""Work of a stage on the machines of a cluster, by Dask or by Kaldi's queue.pl and its like.

Takes a function and items, and gives what the function makes of each, in their order, as `map` does
on this machine. Start reading with options.py, then calls.py: what happens to an item on a worker.
"""
