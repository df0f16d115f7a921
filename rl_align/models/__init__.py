"""Vision-language models: the small ones that are built here, and folders that exist already."""
