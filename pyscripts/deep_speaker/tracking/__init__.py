"""Who speaks when in a recording of any length.

Takes a recording, a model and the speakers who are enrolled, and gives a `Track`: segments with a
speaker each, and as a table, RTTM, picture or page. Start with `tracker.track`: `regions` finds
speech, `windows` embeds it piece by piece, `smoothing` gives every window to somebody, and
`clustering` finds the voices of those whom nobody enrolled.
"""
