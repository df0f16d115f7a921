"""Writes what a sweep came to: JSON, Markdown, CSV, plots, and one page that holds all of it. The same trials, the same files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rl_align.report.grid.formats import csv_text, markdown
from rl_align.report.grid.write import page_of, uri
from rl_align.report.parallel import parallel
from rl_align.runfiles.atomic import write_json, write_text
from rl_align.sweep.config import Method, Scale, SweepConfig
from rl_align.sweep.effects import Outcome, effects, label, number, points
from rl_align.sweep.standing import Standing
from rl_align.sweep.tables import (
    flat_effects,
    flat_points,
    flat_trials,
    is_rate,
    lower_is_better,
    objective_of,
    ordered,
    tables,
    title_of,
)

NAME = "sweep"


def write(folder: Path, title: str, config: SweepConfig, outcomes: Sequence[Outcome]) -> str:
    """Writes `sweep.json`, `.md`, `.html`, `.csv`, `trials.csv`, `effects.csv` and a `parallel-*.svg` a section.

    Returns:
        The tables as Markdown.
    """
    found = ordered(points(outcomes), config.objective, _lower(config))
    mattered = effects(outcomes, list(config.space))
    counts = {s.value: sum(o.standing is s for o in outcomes) for s in Standing}
    shown = tables(found, mattered, outcomes)
    seeds = ", ".join(map(str, range(config.seed, config.seed + config.seeds)))
    told = ", ".join(f"{n} {name}" for name, n in counts.items() if n)
    intro = [f"{config.method.value} over {', '.join(config.space)}; seeds {seeds}; {len(outcomes)} trials: {told}."]
    if config.method is Method.asha:
        intro.append("What is measured at the end is known only of trials that were not stopped: read effects at the first rung.")
    apart = [
        {"trial": o.trial.name, "point": dict(o.trial.point), "seed": o.trial.seed, "standing": o.standing.value, "note": o.note}
        for o in outcomes
        if o.standing is not Standing.done
    ]
    write_json(folder / f"{NAME}.json", {"trials": counts, "points": found, "effects": mattered, "apart": apart})
    text = markdown(shown, title, intro)
    write_text(folder / f"{NAME}.md", text)
    for name, rows in ((NAME, flat_points(found)), ("trials", flat_trials(outcomes)), ("effects", flat_effects(mattered))):
        write_text(folder / f"{name}.csv", csv_text(rows))
    drawn = _plots(config, found)
    for section, svg in drawn.items():
        slug = re.sub(r"[^A-Za-z0-9]+", "-", section).strip("-").lower()[:60]
        write_text(folder / f"parallel-{slug}.svg", svg)
    told = f"a line is a combination of settings, dark is a high {title_of(config.objective)}"
    figures = {f"{section}: {told}": uri(svg.encode(), "svg+xml") for section, svg in drawn.items()}
    write_text(folder / f"{NAME}.html", page_of(title, intro, shown, figures, wide=True))
    return text


def _plots(config: SweepConfig, found: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Section → parallel coordinates of its points: every setting, then every metric; rates in per cent."""
    drawn = {}
    logarithmic = [name for name, axis in config.space.items() if axis.scale is Scale.log]
    for section in dict.fromkeys(section for point in found for section in point["sections"]):
        rows = []
        for point in found:
            settings = {name: label(value) if (n := number(value)) is None else n for name, value in point["point"].items()}
            cells = point["sections"].get(section, {})
            values = {title_of(metric): cell["mean"] * (100 if is_rate(metric) else 1) for metric, cell in cells.items()}
            rows.append({**settings, **values})
        shades = [objective_of(point, config.objective) for point in found]
        svg = parallel(section, rows, shades=shades, logarithmic=logarithmic)
        if svg is not None:
            drawn[section] = svg
    return drawn


def _lower(config: SweepConfig) -> bool:
    return lower_is_better(config.objective) or (config.objective == config.asha.metric and config.asha.mode == "min")
