"""Training rollouts as lists: one a stage, a row a group of siblings at a step, a record a rollout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rl_align.data.untrusted import shown
from rl_align.report.view.facets import Facet
from rl_align.report.view.items import ItemTable
from rl_align.report.view.lines import Lines, LinesCache, Place, number
from rl_align.report.view.outcomes import NAMES, of_rollout
from rl_align.report.view.section import Section, item_facets, item_values
from rl_align.schema import Seat, Status

#: Rewards closer than this teach nothing apart.
_EQUAL = 1e-9


def section_id(stage: str) -> str:
    """The id of a stage's list."""
    return f"rollouts/{stage}"


def step_files(place: Path) -> list[Path]:
    """The files of a stage's steps, in order."""
    return sorted(place.glob("step_*.jsonl"))


def build(stage: str, place: Path, items: ItemTable, cache: LinesCache) -> tuple[Section, list[str]]:
    """The list of a stage, and what is to be said about it."""
    read = [cache.read(path, keep) for path in step_files(place)]
    groups: dict[str, list[tuple[dict[str, Any], Place]]] = {}
    for lines in read:
        for row, where in lines.rows:
            groups.setdefault(f"{row['step']}/{row.get('group') or row['item_id']}", []).append((row, where))
    most = max(map(len, groups.values()), default=0)
    facets = {
        "outcome": Facet("Outcome", "record", NAMES),
        "status": Facet("Status", "record", [s.value for s in Status]),
        "rewards": Facet("Rewards of siblings", "unit", ("differ", "all equal", "fewer than two")),
        **item_facets(),
        "seat": Facet("Seat", "record", [s.value for s in Seat]),
        "gate": Facet("Closed gate", "record", ("none",)),
        "kept": Facet("In the loss", "record", ("yes", "no")),
    }
    section = Section(section_id(stage), f"{stage}, by step", "rollouts", [str(k + 1) for k in range(most)], facets)
    for key, siblings in groups.items():
        siblings.sort(key=_order)
        first = siblings[0][0]
        light = items.rows.get(first["item_id"])
        values = {"rewards": _spread([row for row, _ in siblings]), **item_values(light)}
        section.add_unit(key, first["item_id"], light["prompt"] if light else first.get("prompt"), first["step"], values)
        for column, (row, where) in enumerate(siblings):
            section.add_record(column, row, where, of_rollout(row, light), _values(row))
    return section, _notes(stage, read, items, section)


def keep(row: dict[str, Any]) -> dict[str, Any] | None:
    """A rollout without its texts; the prompt's beginning stays, for items that are in no file."""
    step = row.get("step")
    if not isinstance(row.get("item_id"), str) or isinstance(step, bool) or not isinstance(step, int):
        return None
    names = ("step", "item_id", "session", "seat", "breakdown", "gate", "reward", "status", "kept", "tokens", "group")
    return {name: row[name] for name in names if name in row} | {"prompt": str(row.get("prompt") or "")[:200]}


def _order(entry: tuple[Mapping[str, Any], Place]) -> tuple[float, bool, int]:
    """By episode; in it a rewrite before the answers to it."""
    row, place = entry
    return number(row.get("session")) or 0, row.get("seat") != Seat.REWRITER.value, place.start


def _spread(rows: list[dict[str, Any]]) -> str:
    rewards = [reward for row in rows if (reward := number(row.get("reward"))) is not None]
    if len(rewards) < 2:
        return "fewer than two"
    return "differ" if max(rewards) - min(rewards) > _EQUAL else "all equal"


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "status": str(row.get("status")),
        "seat": str(row.get("seat")),
        "gate": str(row.get("gate") or "none"),
        "kept": {True: "yes", False: "no"}.get(row.get("kept") if isinstance(row.get("kept"), bool) else None),
    }


def _notes(stage: str, read: list[Lines], items: ItemTable, section: Section) -> list[str]:
    damaged, torn = sum(lines.damaged for lines in read), sum(lines.torn for lines in read)
    notes = [f"{stage}: {damaged} damaged lines were skipped"] if damaged else []
    notes += [f"{stage}: {torn} files end in half a line, which was skipped"] if torn else []
    unknown = sum(item_id not in items.rows for item_id in section.items)
    if unknown:
        reason = items.problem or f"they are not in {items.path.name}"
        notes.append(f"{stage}: {unknown} of {len(section.items)} groups without labels and citations of their item: {reason}")
    return [shown(note, 300) for note in notes]
