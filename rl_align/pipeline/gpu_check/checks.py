"""The verdicts: what was measured against its bar."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rl_align.pipeline.gpu_check.measure import FEWEST_STEPS

PASS, FAIL, REPORTED, NOT_REACHED = "pass", "fail", "reported", "not reached"
GENERATION, MFU, SYNC, CORRELATION = 0.80, 0.35, 0.03, 0.995
SIGNS = {"≥": operator.ge, ">": operator.gt, "<": operator.lt}
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
    found.append(_against("generation beside plain vLLM", ratio, "≥", GENERATION, big, _missing(states, "grpo", "plain_vllm")))
    update = record["update"] or {}
    unknown = "the peak of this GPU is not known" if update and update["mfu"] is None else _missing(states, "grpo")
    found.append(_against("MFU of the update", update.get("mfu"), "≥", MFU, big, unknown))
    share = record["weight_sync"].get("share")
    found.append(_against("weight sync, share of a step", share, "<", SYNC, big, _missing(states, "grpo")))
    half, whole = ((record["correlation"].get(kind) or {}).get("lowest") for kind in ("bfloat16", "float32"))
    name = "rollout/trainer probability correlation"
    found.append(_against(f"{name}, bfloat16", half, ">", CORRELATION, True, _missing(states, "grpo")))
    if "float32" in states:
        verdict = NOT_REACHED if whole is None else REPORTED
        found.append(Check(f"{name}, float32", verdict, whole, "", _missing(states, "float32") if whole is None else ""))
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


def _against(name: str, value: float | None, sign: str, bar: float, counts: bool, missing: str) -> Check:
    wanted = f"{sign} {bar:g}"
    if value is None:
        return Check(name, NOT_REACHED, None, wanted, missing)
    if not counts:
        return Check(name, REPORTED, value, f"none here ({wanted} with --big)")
    return Check(name, PASS if SIGNS[sign](value, bar) else FAIL, value, wanted)


def _improves(name: str, change: Mapping[str, Any] | None, state: str) -> Check:
    bar = f"last quarter of the rewards above the first by more than {SIGMAS:g} standard errors"
    if change is None:
        return Check(name, NOT_REACHED, None, bar, f"fewer than {FEWEST_STEPS} steps ({state})")
    gain = round(change["last"] - change["first"], 4)
    good = gain > SIGMAS * change["standard_error"] and gain > 0
    return Check(name, PASS if good else FAIL, gain, bar, f"{change['first']} → {change['last']} in {change['steps']} steps")
