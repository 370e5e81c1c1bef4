"""Error rates of verification and identification, and their intervals.

Numbers in, numbers out: scores and labels of trials become error rates, costs and accuracies; the
speakers behind the trials give their 95 % intervals. Start with `error_rates`, where the EER is.
"""
