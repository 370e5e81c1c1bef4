"""The command `deep-speaker`: words on the command line in, an answer for people or JSON out.

A module per subcommand, each with a docstring that is its help, `add_options` and `run`; `main`
lists them. What they share: `options`, `hearing` (recordings, with warnings and refusals) and
`wording`. They only call `voices` and print. Start with `main`.
"""
