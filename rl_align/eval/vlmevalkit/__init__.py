"""Predictions as VLMEvalKit's files, its own scorer over them, and its numbers beside ours."""
