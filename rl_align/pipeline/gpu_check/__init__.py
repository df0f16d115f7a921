"""One GPU, the whole pipeline, and what it measured: `launch/gpu_check`."""
