"""Reads what training kept of its rollouts and picks what a person should look at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Rollout files that are read; a longer run is sampled evenly, its first and last step included.
MAX_FILES = 60


@dataclass
class Rollouts:
    """What the rollout files of a run hold.

    Attributes:
        files: Files there are.
        read: Files that were read.
        damaged: Lines that could not be read.
        rows: How many rollouts were read.
        statuses: Status → rollouts.
        stretches: Title → examples, best first, for the beginning and the end of training.
    """

    files: int = 0
    read: int = 0
    damaged: int = 0
    rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    stretches: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def rollout_folders(folder: Path) -> dict[str, Path]:
    """Stage → folder of its rollouts: the responder's lie at the top, those of other stages in folders of their own."""
    top = folder / "rollouts"
    below = sorted(path for path in top.glob("*") if path.is_dir() and path.name != "images")
    return {"grpo": top} | {path.name: path for path in below}


def load_rollouts(folder: Path, each: int = 6) -> Rollouts:
    """Reads the `step_*.jsonl` of a stage.

    Args:
        folder: Folder of its rollouts.
        each: Best and worst examples of each stretch.
    """
    files = sorted(folder.glob("step_*.jsonl"))
    found = Rollouts(files=len(files))
    if not files:
        return found
    chosen = _evenly(files, MAX_FILES)
    found.read = len(chosen)
    edge = max(1, len(chosen) // 5)
    stretches = {"first": chosen[:edge], "last": chosen[-edge:]} if len(chosen) > 1 else {"last": chosen}
    kept: dict[str, list[dict[str, Any]]] = {name: [] for name in stretches}
    for path in chosen:
        rows, damaged = read_rows(path)
        found.damaged += damaged
        found.rows += len(rows)
        found.statuses.update(str(row.get("status")) for row in rows)
        for name, members in stretches.items():
            if path in members:
                kept[name] += rows
    for name, rows in kept.items():
        steps = [r["step"] for r in rows if isinstance(r.get("step"), int)]
        where = f"steps {min(steps)}–{max(steps)}" if steps else name
        best, worst = extremes(rows, each)
        found.stretches[f"Best, {where}"] = best
        found.stretches[f"Worst, {where}"] = worst
    return found


def read_rows(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The JSON objects of a file, one a line, and how many lines were none."""
    rows, damaged = [], 0
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in filter(str.strip, file):
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if isinstance(row, dict):
                rows.append(row)
            else:
                damaged += 1
    return rows, damaged


def extremes(rows: Sequence[Mapping[str, Any]], n: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The n best and the n worst rewarded rows, each item once; no row is in both."""
    scored = [dict(r) for r in rows if isinstance(r.get("reward"), (int, float))]
    scored.sort(key=lambda r: (-r["reward"], str(r.get("item_id")), str(r.get("session"))))
    n = min(n, len({r.get("item_id") for r in scored}))
    best = _one_an_item(scored, n)
    ids = {id(r) for r in best}
    return best, _one_an_item([r for r in reversed(scored) if id(r) not in ids], n)


def _one_an_item(rows: Iterable[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    chosen: dict[Any, dict[str, Any]] = {}
    for row in rows:
        if len(chosen) == n:
            break
        chosen.setdefault(row.get("item_id"), row)
    return list(chosen.values())


def _evenly(files: Sequence[Path], n: int) -> list[Path]:
    if len(files) <= n:
        return list(files)
    return [files[round(i * (len(files) - 1) / (n - 1))] for i in range(n)]
