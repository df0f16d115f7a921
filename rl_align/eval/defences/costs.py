"""What defences cost, over samples: calls, tokens, seconds, and how they ended. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from rl_align.eval.defences.ledger import KEY, Status
from rl_align.statistics import share

#: Averaged over the samples whose defence ran to its end.
_MEANS = ("calls", "extra_calls", "extra_input_tokens", "extra_output_tokens", "extra_seconds", "seconds")


def records(samples: Iterable[Any]) -> list[dict[str, Any]]:
    """The records that defences left in Inspect's samples (`EvalLog.samples`); samples that none ran on have none."""
    return [sample.store[KEY] for sample in samples if KEY in sample.store]


def summarise(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is kept of the records of one defence.

    Only samples whose status is ok count for the means and shares: the others are not what the defence does, and are counted.

    Returns:
        `n`; `status`: status → samples; `failures`: "role/reason" → samples; each of calls, extra_calls, extra_input_tokens,
        extra_output_tokens, extra_seconds, seconds: the mean (None without a sample); `seconds_p50`, `seconds_p95`; `flagged` (of
        samples with a verdict) and `refused`: shares in [0, 1], None without cases, with Wilson's `intervals`.
    """
    ended = [r for r in found if r["status"] == Status.ok.value]
    judged = [r for r in ended if r["flagged"] is not None]
    shares = {
        "flagged": share(sum(r["flagged"] for r in judged), len(judged)),
        "refused": share(sum(r["refused"] for r in ended), len(ended)),
    }
    failures = Counter(f"{r['failure']['role']}/{r['failure']['reason']}" for r in found if r["failure"])
    seconds = sorted(r["seconds"] for r in ended)
    return {
        "n": len(found),
        "status": dict(Counter(r["status"] for r in found)),
        "failures": dict(failures),
        **{name: fmean(r[name] for r in ended) if ended else None for name in _MEANS},
        "seconds_p50": _quantile(seconds, 0.5),
        "seconds_p95": _quantile(seconds, 0.95),
        **{name: estimate.value for name, estimate in shares.items()},
        "intervals": {name: [estimate.low, estimate.high] for name, estimate in shares.items()},
    }


def _quantile(ordered: Sequence[float], q: float) -> float | None:
    """By the nearest rank; None of nothing."""
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else None
