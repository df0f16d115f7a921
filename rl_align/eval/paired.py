"""What a rewriter changes, item by item: a responder with and without it on the same items, over one run or several seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from rl_align.eval.matrix import NO_REWRITER
from rl_align.eval.run import GREEDY
from rl_align.runfiles.atomic import read_lines
from rl_align.statistics import Z_95

#: Metric → (which rows are cases, what a row counts).
_METRICS = {
    "attack_success": (lambda row: row["outcome"]["harmful"], lambda row: bool(row["rewritten"]["attack_success"])),
    "over_refusal": (
        lambda row: row["outcome"]["is_twin"] and not row["outcome"]["harmful"],
        lambda row: bool(row["outcome"]["over_refusal"]),
    ),
    "helpfulness": (lambda row: not row["outcome"]["harmful"], lambda row: bool(row["outcome"]["helpful"])),
}


def paired(folders: Sequence[Path]) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Differences to no rewriter, pooled over the items of all folders.

    Args:
        folders: `eval/matrix` of one or more runs.

    Returns:
        `{responder: {rewriter: {split: {metric: {"n", "mean", "low", "high"}}}}}`: rewriter minus none, with the 95 % interval of
        the mean of paired differences (normal approximation over item × seed pairs).
    """
    found: dict[tuple[str, str, str], dict[str, list[int]]] = {}
    for folder in folders:
        for path in sorted(folder.glob(f"*+*/*/{GREEDY}.jsonl")):
            responder, _, rewriter = path.parent.parent.name.partition("+")
            if rewriter == NO_REWRITER:
                continue
            without = folder / f"{responder}+{NO_REWRITER}" / path.parent.name / path.name
            plain = {row["item_id"]: row for row in read_lines(without)}
            cell = found.setdefault((responder, rewriter, path.parent.name), {name: [] for name in _METRICS})
            for row in read_lines(path):
                for name, (case, counts) in _METRICS.items():
                    if row["item_id"] in plain and case(row):
                        cell[name].append(counts(row) - counts(plain[row["item_id"]]))
    table: dict[str, Any] = {}
    for (responder, rewriter, split), cell in found.items():
        shown = {name: {"n": len(d), **_interval(d)} for name, d in cell.items() if d}
        table.setdefault(responder, {}).setdefault(rewriter, {})[split] = shown
    return table


def lines(table: Mapping[str, Any]) -> list[str]:
    """The table as Markdown: points of per cent, with intervals."""
    if not table:
        return []
    names = list(_METRICS)
    out = ["| responder, rewriter, split: minus no rewriter, points | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for responder, row in table.items():
        for rewriter, splits in row.items():
            for split, cell in splits.items():
                shown = [_shown(cell.get(name)) for name in names]
                out.append("| " + " | ".join([f"{responder}, {rewriter}, {split}", *shown]) + " |")
    return out


def _interval(differences: Sequence[int]) -> dict[str, float]:
    mean = fmean(differences)
    half = Z_95 * stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else 1.0
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _shown(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "–"
    return f"{100 * cell['mean']:+.1f} [{100 * cell['low']:+.1f}, {100 * cell['high']:+.1f}] (n = {cell['n']})"
