"""`rl-align gpu-check`. A dry run imports the standard library only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rl_align.errors import UserError
from rl_align.pipeline.gpu_check.plan import lines, make_plan

ROOT = Path(__file__).resolve().parents[3]


def command(
    *,
    big: bool = False,
    device: str = "cuda",
    minutes: int | None = None,
    folder: str | None = None,
    dry_run: bool = False,
    began: float | None = None,
    overrides: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> int:
    """Runs a check, or goes on with it.

    Args:
        big: The 3 B architecture.
        device: cuda or cpu.
        minutes: How long it may take; None for as long as the plan is thought to take.
        folder: Where it works; None for a folder of the plan's name in `runs/`.
        dry_run: Print the plan and start nothing.
        began: Unix time from which the minutes count; None for now.
        overrides: `key=value` strings for the experiment.
        say: Gets what a person reads.

    Returns:
        0 when nothing that was reached has failed, else 1.

    Raises:
        UserError: No GPU, or settings that do not fit.
    """
    if big and device == "cpu":
        raise UserError("--big needs a GPU", where="--device cpu", fix="leave one of them out")
    plan = make_plan(ROOT, big=big, cpu=device == "cpu")
    granted = float(minutes) if minutes is not None else plan.minutes
    place = Path(folder or plan.folder)
    if dry_run:
        say(f"{plan.kind} check in {place}, {granted:g} minutes: {plan.experiment.relative_to(ROOT)}")
        say("\n".join(f"  {line}" for line in lines(plan, granted)))
        say("  Shares are guesses. What a step leaves over goes to those after it; what is cut goes on with the next call.")
        return 0
    from rl_align.pipeline.gpu_check.machine import find_gpu
    from rl_align.pipeline.gpu_check.run import GPUCheck

    gpu = find_gpu() if device == "cuda" else None
    record = GPUCheck(plan, place, minutes=granted, began=began or time.time(), gpu=gpu, overrides=overrides, say=say).run()
    whole = json.loads(record.path.read_bytes())
    say("\n".join(table(whole)))
    say(f"record: {record.path}")
    if not whole["complete"]:
        say(f"not finished: {', '.join(whole['not_reached'])}; the same command goes on")
    return 1 if any(check["verdict"] == "fail" for check in whole["checks"]) else 0


def table(whole: Mapping[str, Any]) -> list[str]:
    """The verdicts for a person."""
    out = []
    for check in whole["checks"]:
        value = "" if check["value"] is None else f"{check['value']:.5g}"
        reason = f"  ({check['why']})" if check["why"] else ""
        out.append(f"{check['verdict']:<12} {check['name']:<52} {value:<10} bar: {check['bar'] or 'none'}{reason}")
    return out
