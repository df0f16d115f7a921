"""The CPU platform for verl: one module for the platform, one per patch.

`PATCHES` lists what is changed in installed packages, in the order of application; every entry is a module with a docstring
that gives the reason, `FOR` (distribution → version it was written against) and `apply()`. `tests/test_cpu_contract.py` fails
with a message of its own when an upgrade makes one of them unnecessary or wrong.
"""

from __future__ import annotations

PATCHES = (
    "rl_align.engine.cpu.vllm_version",
    "rl_align.engine.cpu.process_group",
    "rl_align.engine.cpu.offload_policy",
)


def install() -> None:
    """Registers the platform and applies every patch of the trainer's processes. Safe to call twice."""
    import importlib

    importlib.import_module("rl_align.engine.cpu.platform")
    for name in PATCHES:
        importlib.import_module(name).apply()
