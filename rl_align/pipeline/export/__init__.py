"""`rl-align export`: a model of a run as a Hugging Face folder, checked, with its card."""
