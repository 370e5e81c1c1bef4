"""Files written whole, locks, processes, signals, sorting on disk, and the frame of a command.

Takes paths, functions and command lines; knows nothing of speech. Start with `files`, by which
every output is written, `origins`, which records what outputs were made of, by the sums of `sums`,
`shards`, by which long work is kept in parts, and `command`, the frame of each program of
pyscripts/ and local/.
"""
