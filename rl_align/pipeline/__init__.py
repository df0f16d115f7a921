"""Pipelines: stages and their run folders, the queue over seeds."""
