"""Learning curves and step times out of `metrics.jsonl`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from statistics import fmean
from typing import Any

from markupsafe import Markup

from rl_align.report.chart import area_chart, line_chart

#: Parts of a training step in their order; `wait` is what no part explains. Rewards are computed while others are generated, and
#: checkpoints are written after the step: neither is a part of it.
PARTS = ("generate", "old_log_prob", "ref_log_prob", "advantage", "update", "sync", "wait")
BESIDE = {"reward": "reward (within generate)", "checkpoint": "checkpoint (after the step)"}

#: A step that compiles and warms up is not typical.
WARM_UP_STEPS = 1

#: Title → (patterns of metrics, lower and upper end of the axis). In a pattern `*` stands for anything.
Charts = Mapping[str, tuple[tuple[str, ...], float | None, float | None]]

_CHARTS: Charts = {
    "reward": (("reward/total",), None, None),
    "reward components (mean of the scored)": (("reward/*/*",), None, None),
    "loss": (("loss/train",), None, None),
    "response length, tokens": (("response_length/mean",), 0.0, None),
    "entropy": (("actor/entropy",), 0.0, None),
    "clipped share": (("actor/pg_clipfrac", "actor/pg_clipfrac_lower"), 0.0, None),
    "rollout/trainer probability correlation": (("training/rollout_actor_probs_pearson_corr",), None, 1.0),
    "rollouts by status": (("status/*",), 0.0, None),
    "safety": (("safety/*",), None, None),
}


def by_stage(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Stage → its steps in order; of a step that was done again, the last row counts."""
    stages: dict[str, dict[int, Mapping[str, Any]]] = {}
    for row in rows:
        if isinstance(row.get("step"), int) and isinstance(row.get("stage"), str):
            stages.setdefault(row["stage"], {})[row["step"]] = row
    return {stage: [steps[k] for k in sorted(steps)] for stage, steps in stages.items()}


def charts(steps: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """The charts that a stage has data for, the parts of its step time last."""
    drawn = draw(steps, _CHARTS)
    parts = {p: points(steps, f"time/{p}") for p in PARTS}
    parts = {name: line for name, line in parts.items() if any(y > 0.005 for _, y in line)}
    if parts:
        drawn.append(area_chart("seconds of a step", parts))
    return drawn


def draw(steps: Sequence[Mapping[str, Any]], charts: Charts) -> list[Markup]:
    """Those of these charts that there is data for."""
    drawn = []
    for title, (patterns, low, high) in charts.items():
        names = [n for n in _names(steps) if any(fnmatchcase(n, pattern) for pattern in patterns)]
        series = {(n.split("/", 1)[1] if len(names) > 1 else n): points(steps, n) for n in names}
        if series:
            drawn.append(line_chart(title, series, low=low, high=high))
    return drawn


def points(steps: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    """(step, value) of one metric, where it has a finite value."""
    return [(float(s["step"]), float(s[name])) for s in steps if _number(s.get(name))]


def step_times(steps: Sequence[Mapping[str, Any]]) -> list[tuple[str, float, float]]:
    """(part, mean seconds, share of the step) over the steps after the warm-up: the parts, the step, what lies beside."""
    steady = [s for s in steps[WARM_UP_STEPS:] or steps if _number(s.get("time/step"))]
    if not steady:
        return []
    whole = fmean(s["time/step"] for s in steady)
    table = []
    for part in PARTS:
        if any(f"time/{part}" in s for s in steady):
            seconds = sum(s.get(f"time/{part}") or 0.0 for s in steady) / len(steady)
            table.append((part, seconds, seconds / whole if whole else 0.0))
    table.append(("step", whole, 1.0))
    for part, label in BESIDE.items():
        if any(f"time/{part}" in s for s in steady):
            seconds = sum(s.get(f"time/{part}") or 0.0 for s in steady) / len(steady)
            table.append((label, seconds, seconds / whole if whole else 0.0))
    return table


def _names(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for step in steps for name in step))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
