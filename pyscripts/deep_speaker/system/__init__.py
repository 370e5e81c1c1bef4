"""Files written whole, processes, sorting on disk, and the frame of a command.

Takes paths, functions and command lines; knows nothing of speech. Start with `files` (how every
output is written) and `command` (what each program of pyscripts/ and local/ begins with).
"""
