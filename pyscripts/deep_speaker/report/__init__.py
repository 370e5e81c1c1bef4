"""The page of an experiment: tables, plots, errors and origin in one HTML file (stage 6).

Takes the rows of `results`, scores, x-vectors and what training left; writes report.html, which
needs nothing else. Start reading with `page`, which joins the sections: `headline`, `list_section`
(tables, DET curves, histograms, errors), `training_curves`, `embedding_map` and `provenance`.
"""
