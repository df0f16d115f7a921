"""`rl-align sweep`: many runs of one experiment that differ in some settings; what was reached, and what mattered."""
