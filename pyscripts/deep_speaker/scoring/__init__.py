"""From x-vectors to the scores of trials, by back ends; calibration and fusion of scores."""
