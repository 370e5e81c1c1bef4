"""Where labels stand in a plot, out of each other's way."""
