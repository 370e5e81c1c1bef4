"""Rows of error rates, and their tables (stage 6).

Takes trial lists and scores; gives results.json, the table that stage 6 prints, and tables of
several experiments. Start with `computation`, then `rows`.
"""
