"""From x-vectors to the scores of trials: back ends, normalisation, calibration, fusion (stage 5).

Takes x-vector directories and trial lists, and gives score files; `score_files` says where they
lie. Start with `list_scoring`, which scores every list by all `scorers`; these are fitted by
`backends`. `fusion` joins the scores of several systems.
"""
