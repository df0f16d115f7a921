"""The browser of a run folder: its items with every model's answer, and the rollouts of its training, as a page."""
