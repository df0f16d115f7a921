"""The tables of a matrix, as text that nothing has been escaped in yet: each format does that for itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Counted beside every table of rates.
COUNTS = ("answers", "empty", "truncated", "full_refusals", "partial_refusals", "fake_refusals", "filtered", "too_long")
#: Marks a cell that lacks answers.
INCOMPLETE = "*"
_INCOMPLETE_NOTE = f"{INCOMPLETE} answers are missing: the same command asks them again"


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: Above it.
        head: Its columns.
        rows: Its rows, the first column a name.
        notes: Lines below it.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default_factory=tuple)


def tables(found: Mapping[str, Any]) -> list[Table]:
    """All tables of a matrix, in the order in which they are shown."""
    shown = [_front(found)]
    for name, facts in found["benchmarks"].items():
        cells = [cell for cell in found["cells"] if cell["benchmark"] == name]
        shown.append(_main(name, facts, cells))
        shown += _compared(name, found)
        shown += _categories(name, facts, cells)
        shown.append(_counted(name, cells))
        shown.append(_costs(name, cells))
    return [table for table in shown if table.rows]


def _front(found: Mapping[str, Any]) -> Table:
    def part(point: Mapping[str, Any], key: str) -> str:
        return interval(point[key]) if point[key] else "–"

    rows = [[*_who(p), part(p, "attack"), part(p, "over_refusal"), "front" if p["front"] else ""] for p in found["fronts"]]
    parts = {key: next((p[key]["benchmarks"] for p in found["fronts"] if p[key]), []) for key in ("attack", "over_refusal")}
    notes = [f"{key.replace('_', '-')}: mean over {', '.join(names)}" for key, names in parts.items() if names]
    notes.append("front: no other model behind a defence is as good on both sides and better on one")
    if any(not p["complete"] for p in found["fronts"]):
        notes.append(_INCOMPLETE_NOTE)
    return Table("Attack success against over-refusal", ["model", "defence", "attack success", "over-refusal", ""], rows, notes)


def _main(name: str, facts: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]) -> Table:
    rates = _rates(facts, cells)
    rows = [[*_who(cell), *(interval(cell["metrics"][rate]) for rate in rates)] for cell in cells]
    notes = [_about(facts), *_judges(cells, rates), _cases(cells, rates)]
    unscored = {rate: sum(cell["metrics"][rate]["unscored"] for cell in cells) for rate in rates}
    if any(unscored.values()):
        notes.append("unscored, in no rate: " + ", ".join(f"{rate} {n}" for rate, n in unscored.items() if n))
    if any(not cell["complete"] for cell in cells):
        notes.append(_INCOMPLETE_NOTE)
    if any(m["how"] == "wilson" for cell in cells for m in cell["metrics"].values()):
        notes.append(
            "° every case counts the same, so the interval is Wilson's over items; the others are resampled over items and seeds"
        )
    return Table(f"{name}: rates, per cent with 95 % intervals", ["model", "defence", *rates], rows, notes)


def _compared(name: str, found: Mapping[str, Any]) -> Iterator[Table]:
    rows = []
    for c in found["comparisons"]:
        if c["benchmark"] != name or c["difference"] is None:
            continue
        change = f"{100 * c['difference']:+.1f} [{100 * c['low']:+.1f}, {100 * c['high']:+.1f}]"
        pairs = f"{c['only_baseline']} / {c['only_defence']}"
        rows.append(
            [c["model"], c["defence"], c["rate"], change, pairs, str(c["n"]), c["test"], p_shown(c["p"]), p_shown(c["p_holm"])]
        )
    base = found["baseline"]
    notes = ["higher in: pairs of answers that count more without the defence / with it; p corrected by Holm within model and rate"]
    head = ["model", "defence", "rate", "difference, points", "higher in", "pairs", "test", "p", "p, corrected"]
    yield Table(f"{name}: defences minus {base}, on the same items", head, rows, notes)


def _categories(name: str, facts: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    groups = list(dict.fromkeys(group for cell in cells for group in cell["by"]))
    for group in groups:
        values = sorted({value for cell in cells for value in cell["by"].get(group, {})})
        if len(values) < 2:
            continue
        for rate in facts["keys"]:
            rows = []
            for cell in cells:
                table = cell["by"].get(group, {})
                rows.append([*_who(cell), *(interval(table[v][rate]) if v in table else "–" for v in values)])
            if any(shown != "–" for row in rows for shown in row[2:]):
                yield Table(f"{name}: {rate} by {group}", ["model", "defence", *values], rows)


def _counted(name: str, cells: Sequence[Mapping[str, Any]]) -> Table:
    more = list(dict.fromkeys(key for cell in cells for key in cell["counts"] if key.startswith("unscored/")))
    rows = []
    for cell in cells:
        counts = [str(cell["counts"].get(key, 0)) for key in (*COUNTS, *more)]
        failures = ", ".join(f"{why} {n}" for why, n in cell["defence_failures"].items()) or "0"
        rows.append(
            [*_who(cell), *counts, str(cell["missing"]), failures, str(cell["undefended"]), str(cell["refused_by_defence"])]
        )
    head = ["model", "defence", *(key.replace("_", " ") for key in (*COUNTS, *more))]
    notes = [
        "refusals by the project's rules; empty answers are none",
        "failed: the defence had no result, so there is no answer; in no rate. undefended: it failed open, and the answer counts",
    ]
    return Table(f"{name}: counted apart", [*head, "missing", "failed", "undefended", "refused by the defence"], rows, notes)


def _costs(name: str, cells: Sequence[Mapping[str, Any]]) -> Table:
    rows = []
    for cell in cells:
        c = cell["costs"]
        own = c["models"].get(cell["model"], {"calls": 0})
        each = [f"{c[key]:,}" for key in ("calls", "input_tokens", "output_tokens")]
        others = str(c["calls"] - own["calls"])
        extra = "–" if c["extra_calls"] is None else f"{c['extra_calls']:.2f}"
        times = [seconds(c[key]) for key in ("seconds_p50", "seconds_p95", "answer_seconds_p50")]
        rows.append([*_who(cell), *each, others, extra, "–" if c["cost"] is None else f"{c['cost']:.4g}", *times])
    head = ["model", "defence", "calls", "tokens read", "tokens written", "calls of partners", "extra calls an answer", "cost"]
    notes = [
        "seconds: from a sample's start to its end, waiting in line included; the request alone: that of the answer itself",
        "cost: by the prices of the configuration; – where none is known. What a judge costs is not in it",
    ]
    return Table(f"{name}: what it cost", [*head, "seconds, median", "95 %", "the request alone"], rows, notes)


def _rates(facts: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rates that are compared first, then all others; of those without any case, none."""
    names = dict.fromkeys([*facts["keys"], *(rate for cell in cells for rate in cell["metrics"])])
    return [name for name in names if any(cell["metrics"][name]["value"] is not None for cell in cells)]


def _who(cell: Mapping[str, Any]) -> list[str]:
    return [cell["model"], cell["defence"] + ("" if cell["complete"] else INCOMPLETE)]


def _about(facts: Mapping[str, Any]) -> str:
    data = facts["data"]
    dropped = sum(data.get("dropped", {}).values())
    left_out = sum(data.get("left_out", {}).values())
    return (
        f"protocol {facts['benchmark']} version {facts['version']}, known by {facts['known_by']}; {data['items']} items, "
        f"{dropped} dropped as unusable, {left_out} left out"
    )


def _cases(cells: Sequence[Mapping[str, Any]], rates: Sequence[str]) -> str:
    """How many answers each rate is over; least and most, where models or defences differ."""
    told = []
    for rate in rates:
        counts = [cell["metrics"][rate]["n"] for cell in cells]
        told.append(f"{rate} {min(counts)}" + (f" to {max(counts)}" if min(counts) < max(counts) else ""))
    return "scored answers: " + ", ".join(told)


def _judges(cells: Sequence[Mapping[str, Any]], rates: Sequence[str]) -> Iterator[str]:
    """A line for every judge: what it is, and what is known of it."""
    behind: dict[str, tuple[Mapping[str, Any], dict[str, None]]] = {}
    unjudged: list[str] = []
    for rate in rates:
        said = [cell["metrics"][rate].get("judges") for cell in cells]
        if any(judges is not None and not judges for judges in said):
            unjudged.append(rate)
        for judge in (judge for judges in said for judge in judges or ()):
            behind.setdefault(str(sorted(map(str, judge.items()))), (judge, {}))[1][rate] = None
    for judge, named in behind.values():
        votes = "" if judge["votes"] is None else f", {judge['votes']} vote(s)"
        yield f"{', '.join(named)}: judged by {judge['model']}, {judge['prompt']}{votes}, {calibrated(judge)}"
    if unjudged:
        yield f"{', '.join(unjudged)}: no judge"


def calibrated(judge: Mapping[str, Any]) -> str:
    """What calibration says of a judge."""
    figures = judge.get("calibration")
    if not figures:
        return "not calibrated"
    told = [f"{key} {value:.3f}" for key in ("accuracy", "kappa") if (value := figure(figures, key)) is not None]
    return f"calibrated on {figures.get('n', '?')} cases: " + (", ".join(told) or "see results.json")


def figure(calibration: Mapping[str, Any], key: str) -> float | None:
    """A figure of a calibration, some of which have an interval."""
    found = calibration.get(key)
    value = found.get("value") if isinstance(found, Mapping) else found
    return float(value) if isinstance(value, (int, float)) else None


def interval(metric: Mapping[str, Any]) -> str:
    """ "12.5 [8.1, 17.0]", in per cent."""
    if metric["value"] is None:
        return "–"
    if metric["low"] is None:
        return f"{100 * metric['value']:.1f}"
    mark = "°" if metric.get("how") == "wilson" else ""
    return f"{100 * metric['value']:.1f} [{100 * metric['low']:.1f}, {100 * metric['high']:.1f}]{mark}"


def p_shown(p: float | None) -> str:
    """A p-value for people."""
    return "–" if p is None else ("< 0.0001" if p < 1e-4 else f"{p:.4f}")


def seconds(value: float | None) -> str:
    """Seconds for people."""
    return "–" if value is None else f"{value:.2f}"
