"""The pictogram world: drawn pictures and templated requests in which safety is known exactly."""
