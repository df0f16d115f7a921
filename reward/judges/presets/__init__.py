"""Presets: one question to a judge a file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from reward.judges.config import JudgeConfig, JudgesConfig
from reward.judges.preset import Preset
from reward.judges.presets import (
    citation,
    guardreasoner,
    harm,
    helpfulness,
    intent,
    llama_guard,
    policy_citation,
    preference,
    refusal,
    safety_relevance,
    visual_grounding,
)
from rl_align.errors import UserError

_GENERAL = (citation, refusal, helpfulness, harm, intent, visual_grounding, policy_citation, safety_relevance, preference)
_GUARDS = (llama_guard, guardreasoner)

PRESETS: Mapping[str, Preset] = {module.PRESET.name: module.PRESET for module in (*_GENERAL, *_GUARDS)}


def chosen(cfg: JudgesConfig) -> dict[str, tuple[Preset, JudgeConfig]]:
    """The configured judges. Raises UserError for an unknown preset, and names the nearest one."""
    return {name: (preset(name), judge) for name, judge in cfg.judges.items()}


def preset(name: str) -> Preset:
    """The preset of this name. Raises UserError when there is none."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1, cutoff=0.0)[0]
        raise UserError("no such judge", where=f"judges.{name}", expected=f"one of {', '.join(PRESETS)}", fix=f"nearest: {near}")
    return PRESETS[name]
