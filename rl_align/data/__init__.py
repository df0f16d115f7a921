"""Items in files: parquet datasets, image normalisation, sources of real records, rows for the engine."""
