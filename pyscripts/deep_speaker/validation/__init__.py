"""Checks of data and x-vector directories, by file, line and remedy.

Takes a directory; raises a ValueError at the first fault that Kaldi's programs or later stages
would meet. Start with `data_dirs`, which checks by `tables`; the others check arks, trial lists and
x-vectors.
"""
