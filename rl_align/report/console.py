"""The table at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rl_align.data.untrusted import shown
from rl_align.eval.metrics import LOWER_IS_BETTER, MATRIX_METRICS, METRICS, SUM
from rl_align.report.panel import in_words

TITLES = {
    "attack_success": "attack success",
    "over_refusal": "over-refusal",
    "behaviour_accuracy": "behaviour",
    "citation_exact": "citation",
    "helpfulness": "helpfulness",
    "format_ok": "format",
    "unparsed": "unparsed",
    SUM: "attack + over-refusal",
    "kept": "kept",
    "neighbour": "neighbour",
    "laundered": "laundered",
    "refusal_rewrites": "refusals",
    "no_rewrite": "no rewrite",
}


def percent(value: float | None) -> str:
    """A rate for people; a dash when it is unknown."""
    return "–" if value is None else f"{100 * value:.1f}"


def heading(metric: str) -> str:
    """A metric's title with the direction that is better."""
    return f"{TITLES[metric]} {'↓' if metric in LOWER_IS_BETTER else '↑'}"


def console_table(summary: Mapping[str, Any]) -> str:
    """Models × metrics on every split, greedy, in per cent; below them the alarms that training raised.

    Args:
        summary: The content of `summary.json`.
    """
    models, alarms = summary["models"], _alarms(summary)
    tables = [*_tables(models, METRICS, ""), *matrix_tables(summary.get("matrix", {}))]
    total = sum(summary["timing_s"].values())
    stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in summary["timing_s"].items())
    ends = [*alarms, f"stages: {stages}; {total / 60:.1f} min in all"] if stages else alarms
    return "\n".join([*(tables or ["no model was measured"]), *ends])


def matrix_tables(matrix: Mapping[str, Any]) -> list[str]:
    """Responders behind rewriters, a table a split."""
    rows = {f"{responder} behind {rewriter}": splits for responder, row in matrix.items() for rewriter, splits in row.items()}
    return _tables(rows, MATRIX_METRICS, "responder behind rewriter")


def _tables(models: Mapping[str, Any], metrics: Sequence[str], corner: str) -> list[str]:
    header = [corner, *(heading(m) for m in metrics)]
    lines = []
    for split in dict.fromkeys(split for table in models.values() for split in table):
        rows = {name: table[split] for name, table in models.items() if split in table}
        first = next(iter(rows.values()))
        cells = [header, *([name, *(percent(row[m]) for m in metrics)] for name, row in rows.items())]
        widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
        lines.append(f"{split} (greedy, %, {first['n_harmful']} harmful, {first['n_benign']} benign)")
        for row in cells:
            numbers = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
            lines.append("  ".join(["", row[0].ljust(widths[0]), *numbers]))
        lines.append("")
    return lines


def _alarms(summary: Mapping[str, Any]) -> list[str]:
    """One line with the alarms; none for a run that had nothing to raise them."""
    told = [
        f"{stage} {name} ({in_words(stretches)})"
        for stage, raised in summary["alarms"].items()
        for name, stretches in raised.items()
    ]
    if told:
        return [shown(f"alarms: {', '.join(told)}")]
    steps = sum(panel["steps"] for panel in summary.get("panel", {}).values())
    return [f"alarms: none in {steps} steps"] if steps else []
