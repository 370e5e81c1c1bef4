"""Speaker verification with Deep Speaker (Li et al. 2017, arXiv 1705.02304) on Kaldi tables."""
