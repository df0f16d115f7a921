"""Judges of benchmarks: one question a file, in the form of `reward/judges/presets`. They measure; no reward is made of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from reward.judges.preset import Preset
from reward.judges.presets import PRESETS as REWARDS
from rl_align.errors import UserError
from rl_align.eval.presets import (
    answer_safety,
    compliance,
    mis_perception,
    mm_safetybench,
    msts,
    or_bench,
    preferred,
    siuo,
    strong_reject,
)

_PRESETS = (
    answer_safety.PRESET,
    compliance.PRESET,
    mis_perception.PRESET,
    *mm_safetybench.PRESETS,
    msts.PRESET,
    or_bench.PRESET,
    *preferred.PRESETS,
    *siuo.PRESETS,
    strong_reject.PRESET,
)

#: Name → preset, of the questions that only evaluations ask.
PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in _PRESETS}


def preset(name: str) -> Preset:
    """The preset of this name, of evaluations or of rewards. Raises UserError when there is none."""
    known = {**REWARDS, **PRESETS}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise UserError(f"no such judge {name!r}", expected=f"one of {', '.join(known)}", fix=f"nearest: {near}")
    return known[name]
