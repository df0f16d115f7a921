"""Sections of the configuration, as stages depend on them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rl_align import outside

#: What changes how fast or how safely a stage runs, and not what comes out of it: changing it runs nothing again.
HOUSEKEEPING = {
    "deadline_minutes", "step_deadline_s", "threads", "rollout_threads", "kv_cache_gb", "gpu_memory_utilization", "offload",
    "gradient_checkpointing", "save_every", "keep_checkpoints", "correlation_alarm",
}  # fmt: skip


def part(section: Any, *leave: str) -> dict[str, Any]:
    """What a stage's outputs depend on in a section of the configuration. LoRA that is off is as if there were none."""
    off = {"lora"} if hasattr(section, "lora") and not section.lora.rank else set()
    return {key: value for key, value in asdict(section).items() if key not in HOUSEKEEPING | off and key not in leave}


def plain(section: Any) -> dict[str, Any]:
    """A section of the configuration as values that JSON knows."""
    return json.loads(json.dumps(asdict(section)))


def reward_part(reward: Any) -> dict[str, Any]:
    """What a stage's outputs depend on in a responder's reward; of a component of one's own its code, not its place."""
    found = asdict(reward)
    extra = {
        name: [outside.digest(one["module"], f"reward.extra.{name}.module"), one["weight"]]
        for name, one in found.pop("extra").items()
    }
    return found | ({"extra": extra} if extra else {})


def plain_reward(reward: Any) -> dict[str, Any]:
    """A responder's reward as processes in other folders read it."""
    found = plain(reward)
    for one in found["extra"].values():
        one["module"] = outside.settled(one["module"])
    return found
