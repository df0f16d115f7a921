"""From the rows of all cells to the numbers of a matrix: rates with resampled intervals, comparisons of defences, fronts, costs.

Values are shares in [0, 1]. Intervals are of 95 %: resampled (`bootstrap.py`), and Wilson's over the items where every case counts
the same (of differences, Newcombe's), because resampling cannot see what it has never drawn; `how` says which.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

from rl_align.eval.grid import roles
from rl_align.eval.grid.bootstrap import Drawn, Resamples, p_value
from rl_align.eval.grid.cells import Cell
from rl_align.eval.grid.config import GridConfig
from rl_align.eval.grid.costs import spent
from rl_align.eval.intervals import Pairs, newcombe
from rl_align.eval.rates import Rate, Record, counted, fold, judges_of
from rl_align.statistics import holm, mcnemar, stratified, wilson

RESULTS = "results.json"


@dataclass(frozen=True)
class Measured:
    """A benchmark, as far as numbers depend on it.

    Attributes:
        rates: What is measured.
        facts: What is true of every number of it.
        items: Ids, in order.
        known_by: The rate that it is known by.
        attack, over_refusal, use: Rates that play these parts; None where it has none.
    """

    rates: tuple[Rate, ...]
    facts: Mapping[str, Any]
    items: Sequence[str]
    known_by: str
    attack: Rate | None
    over_refusal: Rate | None
    use: Rate | None

    @classmethod
    def of(cls, name: str, cfg: GridConfig, task: str, rates: tuple[Rate, ...], **more: Any) -> Measured:
        """With the parts that the configuration or the benchmark names. Raises UserError where there is no such rate."""
        chosen = cfg.benchmarks[name]
        named = {
            "attack": chosen.attack or roles.ATTACK.get(task),
            "over_refusal": chosen.over_refusal or roles.OVER_REFUSAL.get(task),
            "use": roles.USE.get(task),
        }
        found = {part: roles.rate_named(rates, rate, f"benchmarks.{name}.{part}") if rate else None for part, rate in named.items()}
        return cls(rates, **found, **more)

    @property
    def keys(self) -> list[Rate]:
        """The rates that are compared and cut by group."""
        own = next(rate for rate in self.rates if rate.name == self.known_by)
        return list({rate.name: rate for rate in (self.attack, self.over_refusal, self.use, own) if rate is not None}.values())


@dataclass
class Rows:
    """The rows of one cell: with every seed, and why others are missing."""

    rows: list[dict[str, Any]]
    missing: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def results(cfg: GridConfig, measured: Mapping[str, Measured], cells: Mapping[Cell, Rows]) -> dict[str, Any]:
    """All numbers, as plain JSON.

    Args:
        cfg: The matrix.
        measured: Benchmark → what is measured.
        cells: Cell → its rows.

    Returns:
        `benchmarks`: name → facts and parts; `cells`: one entry a model, defence and benchmark, over all seeds; `comparisons`: each
        defence with the baseline on the same items; `fronts`: attack success and over-refusal over all benchmarks that have them.
    """
    found: list[dict[str, Any]] = []
    records: dict[tuple[str, str, str], dict[int, list[Record]]] = {}
    for cell, part in cells.items():
        kept = [row for row in part.rows if "failure" not in row]
        records.setdefault((cell.model, cell.defence, cell.benchmark), {})[cell.seed] = kept
    measured = {
        name: _with_cases(one, [parts for key, parts in records.items() if key[2] == name]) for name, one in measured.items()
    }
    for name, one in measured.items():
        seeds = sorted({cell.seed for cell in cells if cell.benchmark == name})
        resamples = Resamples(
            one.items, seeds, cfg.draws, crc32(name.encode("utf-8", "surrogatepass"))
        )  # benchmarks are drawn apart
        for model in cfg.models:
            for defence in cfg.defences:
                own = {c.seed: rows for c, rows in cells.items() if (c.model, c.defence, c.benchmark) == (model, defence, name)}
                if own:
                    key = (model, defence, name)
                    found.append(_cell(cfg, key, one, own, records[key], resamples))
    shown = {name: _facts(one) for name, one in measured.items()}
    return {
        "format": 1,
        "baseline": cfg.baseline,
        "seeds": list(cfg.seeds),
        "draws": cfg.draws,
        "models": list(cfg.models),
        "defences": {name: {"kind": d.kind, "settings": d.settings, "partners": d.partners} for name, d in cfg.defences.items()},
        "benchmarks": shown,
        "cells": found,
        "comparisons": _comparisons(cfg, measured, records),
        "fronts": _fronts(cfg, measured, {(c["model"], c["defence"], c["benchmark"]): c for c in found}),
    }


def _with_cases(one: Measured, parts: Sequence[Mapping[int, Sequence[Record]]]) -> Measured:
    """The benchmark without the parts of which its items hold no case, such as attacks where only harmless ones are asked."""
    all_records = [record for part in parts for some in part.values() for record in some]
    if not all_records:
        return one
    rates = {name: rate for name in ("attack", "over_refusal", "use") if (rate := getattr(one, name)) is not None}
    return replace(one, **{name: None for name, rate in rates.items() if not any(map(rate.case, all_records))})


def _facts(one: Measured) -> dict[str, Any]:
    parts = {part: rate.name if rate else None for part, rate in (("attack", one.attack), ("over_refusal", one.over_refusal))}
    return {**one.facts, "known_by": one.known_by, **parts, "keys": [rate.name for rate in one.keys]}


def _cell(
    cfg: GridConfig,
    key: tuple[str, str, str],
    one: Measured,
    own: Mapping[int, Rows],
    records: Mapping[int, Sequence[Record]],
    resamples: Resamples,
) -> dict[str, Any]:
    model, defence, name = key
    rows = [row for part in own.values() for row in part.rows]
    pooled = [record for part in records.values() for record in part]
    rates = list({rate.name: rate for rate in (*one.rates, *one.keys)}.values())
    judges = {**(one.facts.get("judges") or {}), **judges_of(pooled, one.facts.get("judges") or {})}
    metrics = {rate.name: _estimate(rate, records, resamples.rate(rate, records), judges) for rate in rates}
    by: dict[str, dict[str, dict[str, Any]]] = {}
    for group, value in dict.fromkeys((g, v) for record in pooled for g, v in record["groups"].items()):
        inside = {seed: [r for r in part if r["groups"].get(group) == value] for seed, part in records.items()}
        cut = {rate.name: _estimate(rate, inside, resamples.rate(rate, inside), judges) for rate in one.keys}
        by.setdefault(group, {})[value] = cut
    failures = Counter(f"{row['failure']['role']}/{row['failure']['reason']}" for row in rows if "failure" in row)
    opened = sum((row.get("defence") or {}).get("status") == "open" for row in rows)
    missing = sum(part.missing for part in own.values())
    return {
        "model": model,
        "defence": defence,
        "benchmark": name,
        "seeds": sorted(own),
        "complete": not missing,
        "answers": len(rows),
        "missing": missing,
        "failed": dict(Counter(why for part in own.values() for why in part.failed.values()).most_common(5)),
        "defence_failures": dict(failures),
        "undefended": opened,
        "refused_by_defence": sum(bool((row.get("defence") or {}).get("refused")) for row in rows),
        "counts": counted(pooled),
        "metrics": metrics,
        "by": {group: dict(sorted(values.items())) for group, values in sorted(by.items())},
        "costs": spent(rows, model, cfg.defences[defence].partners, cfg.everyone),
        "seconds": sum(part.seconds for part in own.values()),
    }


def _estimate(
    rate: Rate, records: Mapping[int, Sequence[Record]], drawn: Drawn, judges: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    values, unscored, by_seed, strata = [], 0, {}, {}
    for seed, part in records.items():
        cases = [record for record in (fold(part) if rate.folded else part) if rate.case(record)]
        scored = [(record, float(value)) for record in cases if (value := rate.counts(record)) is not None]
        unscored += len(cases) - len(scored)
        values += [value for _, value in scored]
        by_seed[str(seed)] = sum(value for _, value in scored) / len(scored) if scored else None
        for record, _ in scored:
            strata.setdefault(record["groups"][rate.over] if rate.over is not None else "", set()).add(record["item_id"])
    low, high = drawn.interval
    how = "bootstrap"
    if len(set(values)) == 1:
        low, high, how = *_same(values[0], [len(ids) for ids in strata.values()]), "wilson"
    known = bool(values) and math.isfinite(low)
    return {
        "value": drawn.value if values else None,
        "low": low if known else None,
        "high": high if known else None,
        "how": how if known else None,
        "n": len(values),
        "unscored": unscored,
        **({"by_seed": by_seed} if len(records) > 1 else {}),
        **({"judges": [dict(judges[name]) for name in rate.judges if name in judges]} if rate.judges else {}),
    }


def _same(value: float, items: Sequence[int]) -> tuple[float, float]:
    """The interval where every case counts the same, from the items of every stratum: several answers to one are no more cases."""
    if len(items) == 1:
        return wilson(value * items[0], items[0])
    found = stratified([(round(value * n), n) for n in items])
    return found.low, found.high


def _comparisons(
    cfg: GridConfig,
    measured: Mapping[str, Measured],
    records: Mapping[tuple[str, str, str], Mapping[int, Sequence[Record]]],
) -> list[dict[str, Any]]:
    """Every defence minus the baseline, on the items that both have an opinion on; p-values corrected within model and rate."""
    found = []
    for name, one in measured.items():
        resamples: Resamples | None = None
        for model in cfg.models:
            base = records.get((model, cfg.baseline, name))
            others = [d for d in cfg.defences if d != cfg.baseline and (model, d, name) in records]
            if base is None or not others:
                continue
            resamples = resamples or Resamples(one.items, sorted(base), cfg.draws, crc32(name.encode("utf-8", "surrogatepass")))
            for rate in one.keys:
                rows = [_compared(rate, resamples, base, records[model, d, name]) for d in others]
                tested = [row for row in rows if row["p"] is not None]
                for row, corrected in zip(tested, holm([row["p"] for row in tested]), strict=True):
                    row["p_holm"] = corrected
                where = {"model": model, "benchmark": name, "rate": rate.name, "baseline": cfg.baseline}
                found += [{**where, "defence": d, **row} for d, row in zip(others, rows, strict=True)]
    return found


def _compared(
    rate: Rate, resamples: Resamples, base: Mapping[int, Sequence[Record]], other: Mapping[int, Sequence[Record]]
) -> dict[str, Any]:
    first, second = _opinions(rate, base), _opinions(rate, other)
    both = first.keys() & second.keys()
    pair = [
        resamples.rate(rate, {s: [r for r in part if (s, r["item_id"], _answer(rate, r)) in both] for s, part in table.items()})
        for table in (base, other)
    ]
    difference = Drawn(pair[1].value - pair[0].value, pair[1].draws - pair[0].draws)
    told = {"n": len(both), "difference": None, "low": None, "high": None, "test": None, "p": None, "p_holm": None}
    if not both:
        return told
    changes = {key: second[key] - first[key] for key in both}
    low, high = difference.interval
    if len(set(changes.values())) == 1:
        low, high = newcombe(_as_pairs(first, second, both))
    only_first, only_second = sum(change < 0 for change in changes.values()), sum(change > 0 for change in changes.values())
    # One answer an item, yes or no, and no weights: then the exact test holds.
    exact = len(base) == 1 and not rate.mean and rate.over is None and len({id for _, id, _ in both}) == len(both)
    p = mcnemar(only_first, only_second) if exact else _resampled_p(difference, changes)
    told |= {
        "difference": difference.value,
        "low": low,
        "high": high,
        "test": "McNemar, exact" if exact else "paired bootstrap",
        "p": p,
    }
    return told | {"only_baseline": only_first, "only_defence": only_second}


def _as_pairs(first: Mapping[Any, float], second: Mapping[Any, float], both: Collection[tuple[int, str, int]]) -> Pairs:
    """How often both, one and none of the two count, over as many pairs as there are items."""
    share = len({id for _, id, _ in both}) / len(both)
    together = share * sum(min(first[key], second[key]) for key in both)
    with_only, without_only = (
        share * sum(max(0.0, a[key] - b[key]) for key in both) for a, b in ((second, first), (first, second))
    )
    return Pairs(together, with_only, without_only, max(0.0, share * len(both) - together - with_only - without_only))


def _resampled_p(difference: Drawn, changes: Mapping[tuple[int, str, int], float]) -> float | None:
    """The p-value of the resamples; of few items not less than a test of signs over those that differ could give."""
    p, moved = p_value(difference), Counter()
    for (_, id, _), change in changes.items():
        moved[id] += change
    return None if p is None else max(p, min(1.0, 2.0 ** (1 - sum(value != 0 for value in moved.values()))))


def _answer(rate: Rate, record: Record) -> int:
    return 1 if rate.folded else record["epoch"]


def _opinions(rate: Rate, records: Mapping[int, Sequence[Record]]) -> dict[tuple[int, str, int], float]:
    """(seed, item, answer) → what the rate counts."""
    return {
        (seed, r["item_id"], _answer(rate, r)): float(value)
        for seed, part in records.items()
        for r in (fold(part) if rate.folded else part)
        if rate.case(r) and (value := rate.counts(r)) is not None
    }


def _fronts(
    cfg: GridConfig, measured: Mapping[str, Measured], cells: Mapping[tuple[str, str, str], Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Mean attack success and over-refusal of every model behind every defence, over the benchmarks that have them.

    There is none unless all of these have a value: means over different benchmarks cannot be compared. `complete` says whether no
    answer is missing behind them.
    """
    points = []
    for model in cfg.models:
        for defence in cfg.defences:
            own = {name: cells[key] for name in measured if (key := (model, defence, name)) in cells}
            point: dict[str, Any] = {"model": model, "defence": defence, "complete": all(c["complete"] for c in own.values())}
            for part in ("attack", "over_refusal"):
                named = {name: rate.name for name, one in measured.items() if (rate := getattr(one, part)) is not None}
                known = {n: own[n]["metrics"][rate] for n, rate in named.items() if n in own}
                full = bool(named) and len(known) == len(named) and all(metric["value"] is not None for metric in known.values())
                point[part] = {**_mean(list(known.values())), "benchmarks": list(known)} if full else None
            points.append(point)
    for point in points:
        point["front"] = _on_front(point, points)
    return points


def _mean(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean of several benchmarks' values. They share no items: its interval comes from theirs (Newcombe's square-and-add)."""
    if len(metrics) == 1:
        return {key: metrics[0][key] for key in ("value", "low", "high", "how")}
    k, value = len(metrics), math.fsum(m["value"] for m in metrics) / len(metrics)
    below = math.sqrt(math.fsum((m["value"] - m["low"]) ** 2 for m in metrics)) / k
    above = math.sqrt(math.fsum((m["high"] - m["value"]) ** 2 for m in metrics)) / k
    return {"value": value, "low": max(0.0, value - below), "high": min(1.0, value + above), "how": "square-and-add"}


def _on_front(point: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> bool:
    """Whether no other point is as good on both sides and better on one."""
    at = _at(point)
    if at is None:
        return False
    others = [other for one in points if (other := _at(one)) is not None]
    return not any(o[0] <= at[0] and o[1] <= at[1] and o != at for o in others)


def _at(point: Mapping[str, Any]) -> tuple[float, float] | None:
    if point["attack"] is None or point["over_refusal"] is None:
        return None
    return point["attack"]["value"], point["over_refusal"]["value"]
