"""Arms of an ablation side by side: what each came to, and what makes the difference, seed by seed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from rl_align.errors import UserError
from rl_align.eval.matrix import NO_REWRITER
from rl_align.eval.metrics import MATRIX_METRICS, METRICS, SUM
from rl_align.report.console import TITLES, heading

#: The model that arms without cells are compared by.
MODEL = "grpo"
#: What all arms start from; shown once.
START = "sft"
#: Two rates of which either alone is bought with the other.
_SUMMED = ("attack_success", "over_refusal")
#: What is drawn over the rounds of co-training.
_DRAWN = (SUM, *_SUMMED)

#: Arm → seed → content of `summary.json`.
Summaries = Mapping[str, Mapping[int, Mapping[str, Any]]]
#: Responder, rewriter.
Cell = Sequence[str]


def compare(
    summaries: Summaries, cells: Mapping[str, Cell] | None = None, beside: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """Arms side by side.

    Args:
        summaries: Arm → seed → content of `summary.json`. The first arm is what the others are compared with.
        cells: Arm → (responder, rewriter) of the matrix, where arms are compared by that; else by their GRPO model.
        beside: Row → (arm, responder, rewriter): more cells that are shown, and compared with nothing.

    Returns:
        `{split: {arm: {metric: {"mean", "sd", "values", "difference"}}}}`, greedy rates in [0, 1]; START is an arm as well,
        from the first arm's runs. `difference` is the mean and sd of the difference to the first arm, seed by seed: runs of
        one seed share world and warm start, so the seed's own luck drops out.

    Raises:
        UserError: Arms of one seed were measured on different numbers of items.
    """
    first = next(iter(summaries))
    more = {name: (arm, (responder, rewriter)) for name, (arm, responder, rewriter) in (beside or {}).items()}
    shown = {START: (first, (START, NO_REWRITER)), **more, **{arm: (arm, (cells or {}).get(arm)) for arm in summaries}}
    read = {}
    for name, (arm, cell) in shown.items():
        model = START if name == START else MODEL
        read[name] = {seed: splits_of(s, cell if cells else None, model) for seed, s in summaries[arm].items()}
    tables: dict[str, dict[str, Any]] = {}
    for split in dict.fromkeys(split for by_seed in read.values() for found in by_seed.values() for split in found):
        _same_items(split, read)
        for name, by_seed in read.items():
            for metric in columns(bool(cells)):
                values = _known(by_seed, split, metric)
                if not values:
                    continue
                entry: dict[str, Any] = {**spread(values.values()), "values": values}
                if name in summaries and name not in (START, first):
                    against = _known(read[first], split, metric)
                    pairs = [values[seed] - against[seed] for seed in values if seed in against]
                    entry["difference"] = spread(pairs) if pairs else None
                tables.setdefault(split, {}).setdefault(name, {})[metric] = entry
    return tables


def markdown(tables: Mapping[str, Any], seeds: Sequence[int], first: str) -> str:
    """The comparison as Markdown: per cent, mean ± sd over seeds; below, differences to the first arm, seed by seed."""
    lines = [f"Seeds {', '.join(map(str, seeds))}; greedy, per cent, mean ± standard deviation."]
    for split, arms in tables.items():
        compared = [arm for arm, cells in arms.items() if any("difference" in cell for cell in cells.values())]
        metrics = columns(any("kept" in cells for cells in arms.values()))
        head = ["| | " + " | ".join(heading(m) for m in metrics) + " |", "|---" * (len(metrics) + 1) + "|"]
        lines += ["", f"{split}:", "", *head]
        lines += [_row(arm, cells, metrics) for arm, cells in arms.items()]
        others = {arm: {m: cell["difference"] for m, cell in arms[arm].items()} for arm in compared}
        lines += [_row(f"{arm} − {first}", differences, metrics, "+") for arm, differences in others.items()]
    return "\n".join(lines) + "\n"


def by_round(summaries: Summaries, rounds: Mapping[str, Sequence[Cell]]) -> dict[str, dict[str, list[list[tuple[int, float]]]]]:
    """Curves over training, out of matrices: title → arm → one curve a seed, (per cent of the trained texts, rate).

    Args:
        summaries: As of `compare`.
        rounds: Arm → (responder, rewriter) in the order of training, the first before any, the last at the end; each after as many
            texts as the one before it.
    """
    found: dict[str, dict[str, list[list[tuple[int, float]]]]] = {}
    for arm, cells in rounds.items():
        for summary in summaries.get(arm, {}).values():
            read = [splits_of(summary, cell, MODEL) for cell in cells]
            for split in dict.fromkeys(split for splits in read for split in splits):
                for metric in _DRAWN:
                    values = [value_of(splits.get(split, {}), metric) for splits in read]
                    curve = [(round(100 * i / (len(cells) - 1)), v) for i, v in enumerate(values) if v is not None]
                    if curve:
                        title = f"{TITLES[metric]}, {split} (% of texts)"
                        found.setdefault(title, {}).setdefault(arm, []).append(curve)
    return found


def columns(cells: bool) -> list[str]:
    """The metrics of a table, their sum behind the second of the two."""
    metrics = list(MATRIX_METRICS if cells else METRICS)
    metrics.insert(metrics.index(_SUMMED[1]) + 1, SUM)
    return metrics


def splits_of(summary: Mapping[str, Any], cell: Cell | None, model: str) -> Mapping[str, Any]:
    """Split → measures of one run. A responder behind no rewriter may have been measured without a matrix: it is the same."""
    if cell is None:
        return summary["models"].get(model, {})
    responder, rewriter = cell
    found = summary.get("matrix", {}).get(responder, {}).get(rewriter)
    if found is None and rewriter == NO_REWRITER:
        found = summary["models"].get(responder)
    return found or {}


def _same_items(split: str, read: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> None:
    sizes: dict[int, dict[tuple[Any, Any], str]] = {}
    for name, by_seed in read.items():
        for seed, splits in by_seed.items():
            if split in splits and "n_harmful" in splits[split]:
                size = splits[split]["n_harmful"], splits[split]["n_benign"]
                sizes.setdefault(seed, {}).setdefault(size, name)
    for seed, found in sizes.items():
        if len(found) > 1:
            told = "; ".join(f"{name}: {harmful} harmful, {benign} benign" for (harmful, benign), name in found.items())
            fix = "give all arms the same eval.limit and rewriter.matrix_items"
            raise UserError(f"arms were measured on different items ({told})", where=f"seed {seed}, {split}", fix=fix)


def _known(by_seed: Mapping[int, Mapping[str, Any]], split: str, metric: str) -> dict[int, float]:
    values = {seed: value_of(splits[split], metric) for seed, splits in by_seed.items() if split in splits}
    return {seed: value for seed, value in values.items() if value is not None}


def value_of(measures: Mapping[str, Any], metric: str) -> float | None:
    """A metric of one split, the sum among them; None where it is unknown."""
    if metric != SUM:
        return measures.get(metric)
    parts = [measures.get(name) for name in _SUMMED]
    return None if None in parts else sum(parts)


def spread(values: Iterable[float]) -> dict[str, float | None]:
    """Mean, and the sample standard deviation of two or more."""
    found = list(values)
    return {"mean": fmean(found), "sd": stdev(found) if len(found) > 1 else None}


def _row(name: str, cells: Mapping[str, Mapping[str, Any] | None], metrics: Sequence[str], sign: str = "") -> str:
    shown = []
    for metric in metrics:
        cell = cells.get(metric)
        spread = f" ± {100 * cell['sd']:.1f}" if cell and cell["sd"] is not None else ""
        shown.append(f"{100 * cell['mean']:{sign}.1f}{spread}" if cell else "–")
    return f"| {name} | " + " | ".join(shown) + " |"
