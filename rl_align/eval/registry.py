"""What Inspect finds under `rl_align/…` (entry point group `inspect_ai`)."""

from rl_align.eval.provider import VLLMChat
from rl_align.eval.scorers.benchmark import benchmark
from rl_align.eval.scorers.metrics import counts, groups, intervals, rates
from rl_align.eval.tasks.mm_safetybench import mm_safetybench
from rl_align.eval.tasks.pictograms import pictograms
from rl_align.eval.tasks.siuo import siuo
from rl_align.eval.tasks.xstest import xstest

__all__ = [
    "VLLMChat",
    "benchmark",
    "counts",
    "groups",
    "intervals",
    "mm_safetybench",
    "pictograms",
    "rates",
    "siuo",
    "xstest",
]
