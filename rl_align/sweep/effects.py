"""What mattered in a sweep: points with their spread over seeds, and the effect of every axis on every metric. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from rl_align.pipeline.arms import spread
from rl_align.statistics import spearman
from rl_align.sweep.space import Trial, written
from rl_align.sweep.standing import Standing

#: An axis of numbers with more of them than this is told in thirds.
MOST_GROUPS = 6
_THIRDS = ("low third", "middle third", "high third")

#: Section (a split, or what training logged) → metric → value.
Sections = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes:
        trial: The trial.
        standing: Where it stands.
        sections: What was measured; empty where nothing was.
        note: Why it failed, or where it was stopped.
    """

    trial: Trial
    standing: Standing
    sections: Sections = field(default_factory=dict)
    note: str = ""


def points(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One entry a point, in the order of the trials.

    Returns:
        `{"point", "seeds", "sections": {section: {metric: {"mean", "sd", "n"}}}}`; sd is over seeds, None for one.
    """
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.sections:
            found.setdefault(outcome.trial.key, []).append(outcome)
    table = []
    for same in found.values():
        sections = {
            section: {metric: {**spread(values), "n": len(values)} for metric, values in metrics.items()}
            for section, metrics in _values(same).items()
        }
        table.append({"point": dict(same[0].trial.point), "seeds": [o.trial.seed for o in same], "sections": sections})
    return table


def effects(outcomes: Sequence[Outcome], axes: Sequence[str]) -> list[dict[str, Any]]:
    """What every axis does to every metric, the widest range of a metric first.

    Returns:
        Entries `{"section", "metric", "axis", "groups": [{"value", "mean", "sd", "n"}], "range", "rho", "noise"}`: a group is the
        trials with that value (numbers of which there are many in thirds), sd over them; range is the highest mean minus the
        lowest; rho is Spearman's over trials, of an axis of three numbers or more; noise is the spread over seeds of the same
        point without the seeds' own luck, None with one seed. An axis of one value has no effect, nor has a metric with one trial.
    """
    table = []
    for section, metrics in _values(outcomes).items():
        for metric in metrics:
            known = [(o.trial, o.sections[section][metric]) for o in outcomes if metric in o.sections.get(section, {})]
            noise = _noise(known)
            found = [entry for axis in axes if (entry := _effect(axis, known))]
            found.sort(key=lambda entry: -entry["range"])
            table += [{"section": section, "metric": metric, **entry, "noise": noise} for entry in found]
    return table


def number(value: Any) -> float | None:
    """A value of an axis as a number, names of choices such as "0.25" too; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def label(value: Any) -> str:
    """A value of an axis as people see it."""
    return value if isinstance(value, str) else written(value)


def _values(outcomes: Sequence[Outcome]) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {}
    for outcome in outcomes:
        for section, metrics in outcome.sections.items():
            for metric, value in metrics.items():
                found.setdefault(section, {}).setdefault(metric, []).append(value)
    return found


def _effect(axis: str, known: Sequence[tuple[Trial, float]]) -> dict[str, Any] | None:
    values = [trial.point[axis] for trial, _ in known]
    names, different = _grouped(values)
    if len(different) < 2:
        return None
    numbers = [n for value in values if (n := number(value)) is not None]
    ordinal = len(numbers) == len(values) and len(set(numbers)) > 2
    rho = spearman(numbers, [value for _, value in known]) if ordinal else None
    groups = []
    for name in different:
        inside = [value for (_, value), own in zip(known, names, strict=True) if own == name]
        groups.append({"value": name, **spread(inside), "n": len(inside)})
    means = [group["mean"] for group in groups]
    return {"axis": axis, "groups": groups, "range": max(means) - min(means), "rho": rho}


def _grouped(values: Sequence[Any]) -> tuple[list[str], list[str]]:
    """(the group of every value, the groups in their order)."""
    names = list(map(label, values))
    numbers = {name: n for name, value in zip(names, values, strict=True) if (n := number(value)) is not None}
    different = list(dict.fromkeys(names))
    if len(numbers) < len(different):
        return names, different
    different.sort(key=lambda name: numbers[name])
    if len(different) <= MOST_GROUPS:
        return names, different
    thirds = {name: _THIRDS[3 * i // len(different)] for i, name in enumerate(different)}
    return [thirds[name] for name in names], list(_THIRDS)


def _noise(known: Sequence[tuple[Trial, float]]) -> float | None:
    """What is left of the spread when points and seeds have their own means, over the points that have all seeds: the residual of
    a two-way table. Runs of one seed share world and warm start, so the seed's own luck says nothing of an effect."""
    by_point: dict[str, dict[int, float]] = {}
    for trial, value in known:
        by_point.setdefault(trial.key, {})[trial.seed] = value
    seeds = sorted({trial.seed for trial, _ in known})
    rows = [[values[seed] for seed in seeds] for values in by_point.values() if len(values) == len(seeds)]
    if len(rows) < 2 or len(seeds) < 2:
        return None
    of_seed = [fmean(column) for column in zip(*rows, strict=True)]
    of_all = fmean(of_seed)
    rest = sum((x - fmean(row) - luck + of_all) ** 2 for row in rows for x, luck in zip(row, of_seed, strict=True))
    return math.sqrt(rest / ((len(rows) - 1) * (len(seeds) - 1)))
