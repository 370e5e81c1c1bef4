"""Trial lists: `enroll test target|nontarget`, their protocols, and models of several utterances.

Draws lists of a test set, takes in those of others, and reads any of them by blocks. Start with
`lists`; `protocols` says what stage 0 draws, `gathering` which lists a test set gets.
"""
