"""MIS's perception level, 1 to 3 (arXiv 2501.18533): what an answer shows of having seen. The levels are in our own words."""

from __future__ import annotations

from rl_align.eval.presets.forms import rubric

PRESET = rubric("mis_perception", {"1": 0.0, "2": 0.5, "3": 1.0}, ordinal=True)
