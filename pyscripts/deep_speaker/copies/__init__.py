"""Copies of training utterances in rooms, with noise, at other speeds (stage 1).

Takes a training set and recordings of noises and rooms, or simulates these; writes a data
directory of copies, and joins it to the training set (`joining`). Start with `writing`, then
`mixing`.
"""
