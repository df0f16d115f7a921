"""What verl loads in every process (`VERL_USE_EXTERNAL_MODULES`, entry point group `verl.plugins`)."""

from __future__ import annotations

import os

from rl_align.engine import equal_lengths, logprobs

equal_lengths.apply()
logprobs.apply()
if os.environ.get("VERL_PLATFORM", "").lower() == "cpu":
    from rl_align.engine import cpu

    cpu.install()


def assert_platform() -> None:
    """Raises RuntimeError when this process runs on another platform than the environment asks for.

    verl logs a failing plugin at DEBUG level only and falls back to CUDA; called in each of our processes.
    """
    from verl.plugin.platform.platform_manager import get_platform

    wanted = os.environ.get("VERL_PLATFORM", "").lower()
    found = get_platform().device_name
    if wanted == "cpu" and found != "cpu":
        raise RuntimeError(f"verl runs on platform {found!r}, expected 'cpu': the plugin {__name__} was not loaded")
