"""The page: as the server hands it out, and as one file that holds all it shows, bounded in size; what is left out is said."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import deque
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rl_align.report.view.outcomes import RIGHT
from rl_align.report.view.reading import RunFolder
from rl_align.report.view.section import Section
from rl_align.runfiles.atomic import write_text

#: Side of the pictures in a file, pixels.
_EDGE = 224
ASSETS = ("view.css", "view.js")


@cache
def asset(name: str) -> str:
    """The style sheet or the script."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def shell(name: str) -> str:
    """The page that a server hands out; it asks for all else."""
    return _render(name=name, policy=None, css=None, js=None, data=None)


def write_page(run: RunFolder, out: Path | str, max_mb: float) -> str:
    """Writes one file with as many rows as fit.

    Lists share the room evenly. Of answers those rows come first in which models differ or something is wrong; of rollouts a few
    groups of every step, those whose rewards differ most first, from steps all over the training.

    Args:
        run: What is shown.
        out: The HTML file.
        max_mb: Its size at most, not counting what lists need (a few hundred bytes a row that is in).

    Returns:
        One line for the console.

    Raises:
        UserError: The file cannot be written.
    """
    css, js = (Markup(asset(name)) for name in ASSETS)
    policy = (
        f"default-src 'none'; script-src '{_hash(js)}'; style-src '{_hash(css)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    data, left_out = _content(run, int(max_mb * 2**20))
    # No text can end the element that it stands in: "<" is spelled otherwise everywhere.
    text = _compact(data).replace("<", "\\u003c")
    write_text(out, _render(name=run.name, policy=policy, css=css, js=js, data=Markup(text)))
    rows = sum(map(len, data["rows"].values()))
    return f"{rows} rows{f'; {left_out} did not fit (--max-mb)' if left_out else ''}; written to {out}"


def _content(run: RunFolder, room: int) -> tuple[dict[str, Any], int]:
    """What goes into a file, and how many rows do not."""
    overview = run.overview()
    sections = {section["id"]: run.section(section["id"]) for section in overview["sections"]}
    waiting = {id: deque(_in_order(section)) for id, (section, _) in sections.items()}
    rows: dict[str, dict[str, Any]] = {id: {} for id in sections}
    used, pictures = dict.fromkeys(sections, 0), {}
    while open_lists := [id for id in sections if waiting[id]]:
        id = min(open_lists, key=used.__getitem__)
        key = waiting[id].popleft()
        row = run.unit(id, key)
        new = {name: _picture(run, name) for name in row["item"]["pictures"] if name not in pictures}
        size = len(_compact(row)) + sum(map(len, new.values()))
        if sum(used.values()) + size > room:
            waiting[id].clear()
            continue
        used[id] += size
        rows[id][key] = row
        pictures |= new
    lists, left_out = {}, 0
    for id, (section, notes) in sections.items():
        lists[id] = _subset(section, set(rows[id]))
        missing = len(section.units) - len(rows[id])
        left_out += missing
        lists[id]["notes"] = notes + ([_left_out(section, len(rows[id]))] if missing else [])
    return {"overview": overview, "lists": lists, "rows": rows, "pictures": pictures}, left_out


def _left_out(section: Section, inside: int) -> str:
    chosen = {"answers": "rows where models differ or err", "rollouts": "groups of every step whose rewards differ most"}
    whole = f"{len(section.units)} rows of {section.title}"
    return f"This file holds {inside} of {whole}: {chosen[section.kind]} come first. `rl-align view` shows all."


def _in_order(section: Section) -> list[str]:
    """Keys, those that are worth most first."""
    if section.kind == "answers":
        return sorted(section.units, key=lambda key: _agreement(section.outcomes(section.units[key])))
    of_step: dict[int, list[tuple[float, str]]] = {}
    for key, unit in section.units.items():
        rewards = section.rewards(unit)
        of_step.setdefault(section.step(unit), []).append((min(rewards) - max(rewards) if rewards else 0.0, key))
    turn = {step: k for k, step in enumerate(_spread_out(sorted(of_step)))}
    ranked = [(place, turn[step], key) for step, keys in of_step.items() for place, (_, key) in enumerate(sorted(keys))]
    return [key for _, _, key in sorted(ranked)]


def _agreement(outcomes: Sequence[str]) -> int:
    """0 where models differ, 1 where all err alike, 2 where all are right."""
    return 0 if len(set(outcomes)) > 1 else 1 + (set(outcomes) == {RIGHT})


def _spread_out(steps: Sequence[int]) -> list[int]:
    """First, last, then always the middle of what is between two that have been named."""
    order, gaps = [*steps[:1], *steps[-1:]], deque([(0, len(steps) - 1)])
    while gaps:
        low, high = gaps.popleft()
        if high - low > 1:
            middle = (low + high) // 2
            order.append(steps[middle])
            gaps += [(low, middle), (middle, high)]
    return list(dict.fromkeys(order))


def _subset(section: Section, keys: set[str]) -> dict[str, Any]:
    """A list of some of its rows, in its order."""
    whole = section.index
    chosen = [unit for key, unit in section.units.items() if key in keys]
    start = whole["units"]["start"]
    records = [k for unit in chosen for k in range(start[unit], start[unit + 1])]
    starts = [0]
    for unit in chosen:
        starts.append(starts[-1] + start[unit + 1] - start[unit])
    units = {name: [column[unit] for unit in chosen] for name, column in whole["units"].items() if name != "start"}
    by = {"unit": chosen, "record": records}
    return whole | {
        "units": {**units, "start": starts},
        "records": {name: [column[k] for k in records] for name, column in whole["records"].items()},
        "facets": [facet | {"data": [facet["data"][k] for k in by[facet["per"]]]} for facet in whole["facets"]],
    }


def _compact(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _picture(run: RunFolder, name: str) -> str:
    png = run.png(name, _EDGE)
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii") if png else "data:,"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _render(**content: Any) -> str:
    loader = PackageLoader("rl_align.report.view", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("view.html.j2").render(**content)
