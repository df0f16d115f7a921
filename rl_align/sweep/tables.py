"""The tables of a sweep, as text that nothing has been escaped in yet, and its numbers as rows of CSV files. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rl_align.eval.metrics import LOWER_IS_BETTER
from rl_align.report.console import TITLES, heading
from rl_align.report.grid.tables import Table
from rl_align.sweep.effects import Outcome, label
from rl_align.sweep.standing import Standing

_NOTES = (
    "mean by value: over the trials that have it, whatever else they have, ± their standard deviation",
    "range: the highest of these means minus the lowest; what is within the noise shows nothing",
    "noise: standard deviation over seeds of the same point, each seed's own mean taken off; unknown with one seed",
    "ρ: Spearman's rank correlation of value and metric over trials, where there are three numbers or more",
)
_BEGUN = "begun, not done: the same command continues"


def tables(found: Sequence[Mapping[str, Any]], effects: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]) -> list[Table]:
    """What was reached, what mattered, and what is not in either, in the order in which they are shown.

    Args:
        found: As `effects.points` gives them, in the order in which they are shown.
        effects: As `effects.effects` gives them.
        outcomes: Of all trials.
    """
    sections = list(dict.fromkeys(section for point in found for section in point["sections"]))
    shown = [_points(section, found) for section in sections]
    shown += [_effects(section, effects) for section in sections]
    for standing, title, why in (
        (Standing.stopped, "Stopped early", "where"),
        (Standing.failed, "Failed", "why"),
        (Standing.interrupted, "Interrupted", ""),
        (Standing.waiting, "Not begun", ""),
    ):
        rows = [[str(o.trial), str(o.trial.seed), o.trial.name, o.note] for o in outcomes if o.standing is standing]
        notes = [_BEGUN] if standing is Standing.interrupted else []
        head = ["trial", "seed", "run folder", why]
        if not why:
            head, rows = head[:-1], [row[:-1] for row in rows]
        shown.append(Table(f"{title} ({len(rows)})", head, rows, notes))
    return [table for table in shown if table.rows]


def ordered(found: Sequence[dict[str, Any]], objective: str, lower: bool) -> list[dict[str, Any]]:
    """Points, the best first; those that the objective is not known of at the end, as they were."""

    def key(point: Mapping[str, Any]) -> tuple[bool, float]:
        value = objective_of(point, objective)
        return value is None, 0.0 if value is None else (value if lower else -value)

    return sorted(found, key=key)


def objective_of(point: Mapping[str, Any], objective: str) -> float | None:
    """A point's mean of the objective, in the first section that has it."""
    cells = (metrics[objective] for metrics in point["sections"].values() if objective in metrics)
    return next((cell["mean"] for cell in cells), None)


def is_rate(metric: str) -> bool:
    """Whether a metric is shown in per cent."""
    return metric in TITLES


def title_of(metric: str) -> str:
    """A metric as a column's head."""
    return heading(metric) if is_rate(metric) else metric


def lower_is_better(metric: str) -> bool:
    """Whether less of a metric is better, as far as that is known."""
    return metric in LOWER_IS_BETTER


def flat_points(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a point: its settings, then mean, sd and number of seeds of every metric."""
    rows = []
    for point in found:
        row: dict[str, Any] = {name: label(value) for name, value in point["point"].items()}
        for section, metrics in point["sections"].items():
            for metric, cell in metrics.items():
                row |= {f"{section}/{metric}{end}": cell[name] for end, name in (("", "mean"), ("/sd", "sd"), ("/n", "n"))}
        rows.append(row)
    return rows


def flat_trials(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A row a trial: run folder, settings, where it stands, what was measured."""
    rows = []
    for o in outcomes:
        settings = {name: label(value) for name, value in o.trial.point.items()}
        row = {"trial": o.trial.name, "seed": o.trial.seed, **settings, "standing": o.standing.value, "note": o.note}
        rows.append(row | {f"{section}/{m}": v for section, metrics in o.sections.items() for m, v in metrics.items()})
    return rows


def flat_effects(effects: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each value of each axis and metric."""
    return [
        {**{key: entry[key] for key in ("section", "metric", "axis", "range", "rho", "noise")}, **group}
        for entry in effects
        for group in entry["groups"]
    ]


def _points(section: str, found: Sequence[Mapping[str, Any]]) -> Table:
    inside = [point for point in found if section in point["sections"]]
    metrics = list(dict.fromkeys(metric for point in inside for metric in point["sections"][section]))
    rows = [
        [
            *(label(value) for value in point["point"].values()),
            str(max(cell["n"] for cell in point["sections"][section].values())),
            *(_cell(metric, point["sections"][section].get(metric)) for metric in metrics),
        ]
        for point in inside
    ]
    notes = ["rates in per cent; mean ± standard deviation over seeds"]
    return Table(f"What was reached: {section}", [*inside[0]["point"], "seeds", *map(title_of, metrics)], rows, notes)


def _effects(section: str, effects: Sequence[Mapping[str, Any]]) -> Table:
    rows = []
    for entry in effects:
        if entry["section"] == section:
            metric = entry["metric"]
            groups = "; ".join(f"{group['value']}: {_cell(metric, group)}" for group in entry["groups"])
            noise = "–" if entry["noise"] is None else _amount(metric, entry["noise"])
            rho = "–" if entry["rho"] is None else f"{entry['rho']:+.2f}"
            rows.append([title_of(metric), entry["axis"], groups, _amount(metric, entry["range"]), noise, rho])
    return Table(f"What mattered: {section}", ["metric", "setting", "mean by value", "range", "noise", "ρ"], rows, _NOTES)


def _cell(metric: str, cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "–"
    return _amount(metric, cell["mean"]) + (f" ± {_amount(metric, cell['sd'])}" if cell["sd"] is not None else "")


def _amount(metric: str, value: float) -> str:
    return f"{100 * value:.1f}" if is_rate(metric) else f"{value:.3g}"
