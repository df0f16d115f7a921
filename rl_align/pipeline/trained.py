"""How many texts a run trains: as configured, before it is started, and as logged, after it has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rl_align.engine.config import SFTConfig
from rl_align.pipeline.config import RunConfig
from rl_align.pipeline.estimate import plan
from rl_align.report.curves import by_stage
from rl_align.runfiles.atomic import read_lines


def planned(config: RunConfig) -> tuple[dict[str, int], dict[str, int]]:
    """Stage → texts that it samples and trains by GRPO; stage → transcripts of its warm start, naming pictures left out."""
    sampled, taught = {}, {}
    for stage in plan(config):
        s = stage.settings
        if isinstance(s, SFTConfig):
            taught[stage.name] = s.steps * s.batch_size
        else:
            sampled[stage.name] = s.steps * s.prompts_per_step * s.rollouts_per_prompt
    taught.pop("pretrain", None)
    return sampled, taught


def planned_lines(configs: dict[str, RunConfig]) -> list[str]:
    """A line an arm, and whether all of them train as many texts."""
    lines, totals = [], set()
    for arm, config in configs.items():
        sampled, taught = planned(config)
        totals.add(sum(sampled.values()))
        lines.append(f"{arm}: trains {_told(sampled)} by GRPO, after {_told(taught, 'transcripts')}")
    same = "all arms train as many texts by GRPO" if len(totals) == 1 else "arms train different numbers of texts by GRPO"
    return [*lines, same]


def logged(folder: Path) -> dict[str, int]:
    """What the steps of a run's GRPO stages came to, of a step that was done again the last time only.

    Returns:
        sampled, trained (took part in the loss), flat_groups (whose texts all earned the same, so that they taught nothing).
    """
    steps = [step for rows in by_stage(list(read_lines(folder / "metrics.jsonl"))).values() for step in rows]
    names = {"sampled": "credit/rows", "trained": "credit/kept", "flat_groups": "credit/flat_groups"}
    return {name: round(sum(_number(step.get(metric)) for step in steps)) for name, metric in names.items()}


def _told(counts: dict[str, int], kind: str = "texts") -> str:
    parts = ", ".join(f"{stage} {n}" for stage, n in counts.items())
    return f"{sum(counts.values())} {kind}" + (f" ({parts})" if parts else "")


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
