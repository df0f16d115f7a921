"""How many items came how far, and how many attempts fell where and why. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rl_align.synthesis.types import Decision, Fate


def funnel(decisions: Sequence[Decision], stages: Sequence[str]) -> dict[str, Any]:
    """Counts for `summary.json`.

    Args:
        decisions: One for each item.
        stages: The pipeline's stages, in order.

    Returns:
        `items` (fates, which add up to all items), `passed` (stage → items of which some attempt passed it), `attempts`
        (made, passed, and `fell`: stage → reason → attempts), `items_fell` (the same of items that nothing was asked about),
        `failed` (reason → items), and `by_category` (category → fates and stages passed).
    """
    names = dict.fromkeys(d.category for d in decisions)
    attempts = [attempt for d in decisions for attempt in d.attempts]
    unasked = [d for d in decisions if not d.attempts and d.fate is Fate.REJECTED]
    return {
        "items": _fates(decisions),
        "passed": _passed(decisions, stages),
        "attempts": {
            "made": len(attempts),
            "passed": sum(a.fall is None for a in attempts),
            "fell": _nested((a.fall.stage, a.fall.reason) for a in attempts if a.fall),
        },
        "items_fell": _nested((d.fall.stage, d.fall.reason) for d in unasked if d.fall),
        "failed": dict(Counter(d.fall.reason for d in decisions if d.fate is Fate.FAILED and d.fall).most_common()),
        "by_category": {
            name: {**_fates(mine), "passed": _passed(mine, stages)}
            for name in sorted(names)
            if (mine := [d for d in decisions if d.category == name])
        },
    }


def table(counts: dict[str, Any], stages: Sequence[str]) -> str:
    """The funnel for the console: a row a category, and one for all; then why attempts fell, most frequent first."""
    heads = ["category", "items", *stages, "kept", "balanced out", "rejected", "failed", "undecided"]
    rows = [[name, *_row(part, stages)] for name, part in counts["by_category"].items()]
    rows.append(["all", *_row({**counts["items"], "passed": counts["passed"]}, stages)])
    widths = [max(len(str(row[i])) for row in [heads, *rows]) for i in range(len(heads))]

    def line(row: Sequence[Any]) -> str:
        return "  ".join(str(v).ljust(w) if i == 0 else str(v).rjust(w) for i, (v, w) in enumerate(zip(row, widths, strict=True)))

    why = [(n, f"{stage}: {reason}") for stage, part in counts["attempts"]["fell"].items() for reason, n in part.items()]
    told = ", ".join(f"{n} {reason}" for n, reason in sorted(why, key=lambda pair: (-pair[0], pair[1])))
    made = counts["attempts"]["made"]
    lines = [line(heads), *map(line, rows), f"{made} attempts" + (f", of which fell: {told}" if told else ", none fell")]
    return "\n".join(lines)


def _row(part: dict[str, Any], stages: Sequence[str]) -> list[int]:
    fates = [part[fate.value] for fate in (Fate.KEPT, Fate.BALANCED_OUT, Fate.REJECTED, Fate.FAILED, Fate.UNDECIDED)]
    return [sum(fates), *(part["passed"][stage] for stage in stages), *fates]


def _fates(decisions: Sequence[Decision]) -> dict[str, int]:
    found = Counter(d.fate for d in decisions)
    return {fate.value: found[fate] for fate in Fate}


def _passed(decisions: Sequence[Decision], stages: Sequence[str]) -> dict[str, int]:
    reached = [_reached(d, stages) for d in decisions]
    return {stage: sum(r > i for r in reached) for i, stage in enumerate(stages)}


def _reached(decision: Decision, stages: Sequence[str]) -> int:
    """How many stages the best attempt passed."""
    falls = [a.fall for a in decision.attempts]
    return max((len(stages) if fall is None else _index(fall.stage, stages) for fall in falls), default=0)


def _index(stage: str, stages: Sequence[str]) -> int:
    return stages.index(stage) if stage in stages else 0


def _nested(pairs: Any) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    for (stage, reason), n in sorted(Counter(pairs).items(), key=lambda entry: (entry[0][0], -entry[1], entry[0][1])):
        out.setdefault(stage, {})[reason] = n
    return out
