"""Sources on the Hugging Face Hub: how they are named, reached and read. No code of a dataset is ever run."""
