"""OpenAI-compatible chat endpoints: whom judges, guard, synthesis and evaluation ask. It knows no model and no policy."""
