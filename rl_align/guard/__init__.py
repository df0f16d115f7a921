"""VLMGuard-R1's inference (arXiv 2504.12661) around any model: threat, intent, rewritten prompt, answer. Library and proxy."""
