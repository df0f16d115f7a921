"""What a cell cost and how long its answers took, from the ledgers of its rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rl_align.eval.defences.ledger import ANSWER
from rl_align.eval.grid.config import TARGET, ModelConfig


def spent(rows: Iterable[Mapping[str, Any]], target: str, partners: Mapping[str, str], models: Mapping[str, ModelConfig]) -> dict:
    """The sums over the rows of a cell.

    Args:
        rows: Rows, failures of the defence included: what they cost was spent.
        target: Name of the cell's model.
        partners: Role → name of the model that plays it.
        models: Name → model, for its prices.

    Returns:
        answers; `models`: name → calls, input_tokens, output_tokens, cost; the same summed, `cost` None where no price is known;
        extra_calls (beside the answer itself, for each answer); seconds_p50, seconds_p95 (from a sample's start to its end, waiting
        in line included) and answer_seconds_p50 (the answer's own request); None without a ledger.
    """
    by: dict[str, dict[str, float]] = {}
    waited, answering, extra, answers = [], [], 0, 0
    for row in rows:
        answers += 1
        ledger = row.get("defence")
        if not ledger:
            continue
        waited.append(ledger["seconds"])
        extra += ledger["extra_calls"]
        for step in ledger["steps"]:
            if step["model"] is None:
                continue
            name = target if step["role"] == TARGET else partners.get(step["role"], target)
            name = target if name == TARGET else name
            sums = by.setdefault(name, {"calls": 0, "input_tokens": 0, "output_tokens": 0})
            sums["calls"] += 1
            sums["input_tokens"] += step["input_tokens"]
            sums["output_tokens"] += step["output_tokens"]
            if step["purpose"] == ANSWER:
                answering.append(step["seconds"])
    for name, sums in by.items():
        model = models[name]
        sums["cost"] = (sums["input_tokens"] * model.price_prompt + sums["output_tokens"] * model.price_completion) / 1e6
    priced = any(models[name].price_prompt or models[name].price_completion for name in by)
    total = {key: sum(sums[key] for sums in by.values()) for key in ("calls", "input_tokens", "output_tokens")}
    return {
        "answers": answers,
        "models": by,
        **total,
        "cost": sum(sums["cost"] for sums in by.values()) if priced else None,
        "extra_calls": extra / answers if answers else None,
        "seconds_p50": quantile(waited, 0.5),
        "seconds_p95": quantile(waited, 0.95),
        "answer_seconds_p50": quantile(answering, 0.5),
    }


def quantile(values: Iterable[float], q: float) -> float | None:
    """By the nearest rank; None of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else None
