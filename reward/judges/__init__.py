"""Judges: rewards that a model gives over an OpenAI-compatible endpoint, hardened against the text that they judge."""
