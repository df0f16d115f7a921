"""The verdicts: what was measured against its bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rl_align.pipeline.gpu_check.measure import FEWEST_STEPS

PASS, FAIL, REPORTED, NOT_REACHED = "pass", "fail", "reported", "not reached"
GENERATION, MFU, SYNC, CORRELATION = 0.80, 0.35, 0.03, 0.995
#: Standard errors that an improvement has to stand above nothing.
SIGMAS = 2.0


@dataclass(frozen=True)
class Check:
    """A verdict.

    Attributes:
        name: What is judged.
        verdict: pass, fail, reported (measured, and no bar for this kind of check) or not reached.
        value: What was measured; None when nothing was.
        bar: For a person.
        why: What is missing, or what the value means.
    """

    name: str
    verdict: str
    value: float | None = None
    bar: str = ""
    why: str = ""


def judge(record: Mapping[str, Any], steps: Sequence[str]) -> list[dict[str, Any]]:
    """Every verdict of a record.

    Args:
        record: What `gpu_check.json` holds so far.
        steps: Names of the plan's steps.
    """
    big = record["about"]["kind"] == "big"
    states = {name: record["steps"].get(name, {}).get("state", NOT_REACHED) for name in steps}
    found = [_stages(states)]
    ratio = record["generation"].get("ratio")
    found.append(_at_least("generation beside plain vLLM", ratio, GENERATION, big, _missing(states, "grpo", "plain_vllm")))
    update = record["update"] or {}
    unknown = "the peak of this GPU is not known" if update and update["mfu"] is None else _missing(states, "grpo")
    found.append(_at_least("MFU of the update", update.get("mfu"), MFU, big, unknown))
    found.append(_below("weight sync, share of a step", record["weight_sync"].get("share"), SYNC, big, _missing(states, "grpo")))
    for kind, stage in (("bfloat16", "grpo"), ("float32", "float32")):
        if stage in states:
            lowest = (record["correlation"].get(kind) or {}).get("lowest")
            name = f"rollout/trainer probability correlation, {kind}"
            found.append(_above(name, lowest, CORRELATION, kind == "bfloat16", _missing(states, stage)))
    for stage, who in (("grpo", "responder"), ("rewriter_grpo", "rewriter")):
        found.append(_improves(f"GRPO improves the {who}", record["curves"].get(f"{stage}_change"), states.get(stage, NOT_REACHED)))
    return [asdict(check) for check in found]


def _stages(states: Mapping[str, str]) -> Check:
    name, bar = "every step runs", f"all {len(states)}"
    failed = [step for step, state in states.items() if state == "failed"]
    due = [step for step, state in states.items() if state not in ("done", "failed")]
    done = len(states) - len(failed) - len(due)
    if failed:
        return Check(name, FAIL, done, bar, f"failed: {', '.join(failed)}")
    return Check(name, NOT_REACHED, done, bar, f"not finished: {', '.join(due)}") if due else Check(name, PASS, done, bar)


def _missing(states: Mapping[str, str], *names: str) -> str:
    late = [f"{name} {states.get(name, NOT_REACHED)}" for name in names if states.get(name) != "done"]
    return ", ".join(late) or "nothing to measure in its files"


def _at_least(name: str, value: float | None, bar: float, counts: bool, missing: str) -> Check:
    return _judged(name, value, value is not None and value >= bar, f"≥ {bar:g}", counts, missing)


def _above(name: str, value: float | None, bar: float, counts: bool, missing: str) -> Check:
    return _judged(name, value, value is not None and value > bar, f"> {bar:g}", counts, missing)


def _below(name: str, value: float | None, bar: float, counts: bool, missing: str) -> Check:
    return _judged(name, value, value is not None and value < bar, f"< {bar:g}", counts, missing)


def _judged(name: str, value: float | None, good: bool, bar: str, counts: bool, missing: str) -> Check:
    if value is None:
        return Check(name, NOT_REACHED, None, bar, missing)
    if not counts:
        return Check(name, REPORTED, value, f"none here ({bar} with --big)" if "float32" not in name else "none")
    return Check(name, PASS if good else FAIL, value, bar)


def _improves(name: str, change: Mapping[str, Any] | None, state: str) -> Check:
    bar = f"last quarter of the rewards above the first by more than {SIGMAS:g} standard errors"
    if change is None:
        return Check(name, NOT_REACHED, None, bar, f"fewer than {FEWEST_STEPS} steps ({state})")
    gain = round(change["last"] - change["first"], 4)
    good = gain > SIGMAS * change["standard_error"] and gain > 0
    return Check(name, PASS if good else FAIL, gain, bar, f"{change['first']} → {change['last']} in {change['steps']} steps")
