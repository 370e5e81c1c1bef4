"""Trial lists: `enroll test target|nontarget`, their protocols, and models of several utterances.

Draws lists for a test set, imports published ones, and reads any of them by blocks. Start with
`lists`; `protocols` draws what stage 0 is asked for, `gathering` brings all lists together.
"""
