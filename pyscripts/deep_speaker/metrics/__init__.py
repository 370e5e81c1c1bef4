"""Error rates of verification and identification, and their intervals.

Takes the scores and labels of trials, and the speakers behind them; gives error rates, costs and
accuracies with 95 % intervals. Start reading with `error_rates`, where the EER is; `registry` lists
every metric with its title, digits and interval, `intervals` resamples the speakers.
"""
