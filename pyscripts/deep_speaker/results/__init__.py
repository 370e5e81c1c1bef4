"""Results of an experiment: rows of metrics, and their tables (stage 6).

Takes the trial lists of a data directory and the scores of phases; gives results.json, the table
that stage 6 prints, and Markdown tables of several experiments. Start reading with `computation`,
which makes a row per phase, back end, list and subset; `rows` reads them, `text_table` shows
them, and of several lists `summary`.
"""
