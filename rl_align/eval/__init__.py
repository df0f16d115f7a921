"""Measuring models: Inspect AI tasks, the server that they talk to, and the metrics."""
