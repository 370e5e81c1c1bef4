"""From x-vectors to the scores of trials: back ends, normalisation, calibration, fusion (stage 5).

Start with `list_scoring`, which scores every trial list by every back end of `backends`;
`score_files` says where scores lie.
"""
