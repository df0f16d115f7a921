"""OpenAI-compatible chat endpoints: what judges, the guard, synthesis and evaluation ask for text. It knows no model and no policy."""
