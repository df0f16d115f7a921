"""Rewards: one component a file, each a pure function of typed input, and their composition."""
