"""The page of an experiment: tables, plots, errors and origin in one HTML file (stage 6).

Takes the rows of `results` and what the stages left; writes report.html. Start with `page`.
"""
