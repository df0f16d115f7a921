"""What Inspect finds under `rl_align/…` (entry point group `inspect_ai`)."""

from rl_align.eval.provider import VLLMChat
from rl_align.eval.tasks.pictograms import pictograms

__all__ = ["VLLMChat", "pictograms"]
