"""One cell: a model behind a defence on a benchmark with a seed. Its folder, what it depends on, and the answers it has already."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl_align.eval.records import Recorder
from rl_align.eval.run import IDENTITY
from rl_align.runfiles.atomic import write_json, write_text

#: Where the first of the answers that there are was asked.
ADDRESS = "address.json"

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Cell:
    """Names as in the configuration, and a seed."""

    model: str
    defence: str
    benchmark: str
    seed: int

    def __str__(self) -> str:
        return f"{self.model} × {self.defence} × {self.benchmark} × seed {self.seed}"

    def folder(self, out: Path) -> Path:
        """Where its answers are."""
        return out / "cells" / slug(self.model) / slug(self.defence) / slug(self.benchmark) / f"seed-{self.seed}"


def slug(name: str) -> str:
    """A name that a folder can have, different for different names."""
    safe = _UNSAFE.sub("_", name).strip(".")[:48]
    return name if safe == name and name else f"{safe}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


@dataclass
class Place:
    """The answers of a cell.

    Attributes:
        cell: Which one.
        recorders: One for each answer to an item.
        dropped: Answers that are no longer those of this cell.
        why: What has changed, where anything has.
        moved: Where the answers that stay were asked, if that is another endpoint than now.
    """

    cell: Cell
    recorders: list[Recorder]
    dropped: int = 0
    why: str = ""
    moved: str = ""

    @property
    def missing(self) -> int:
        """Answers that are not there yet."""
        return sum(len(r.ids) - len(r.rows) for r in self.recorders)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows that there are."""
        return [row for r in self.recorders for row in r.rows.values()]


def opened(
    cell: Cell,
    out: Path,
    identity: Mapping[str, Any],
    asked: Mapping[str, str],
    answers: int,
    *,
    address: str = "",
    look: bool = False,
) -> Place:
    """The cell with the answers that it keeps: those of the same model, defence, settings and seed to the same items.

    Args:
        cell: Which one.
        out: Folder of the matrix.
        identity: What all its answers depend on.
        asked: Item id → what its answer depends on besides.
        answers: Answers to each item.
        address: Of the endpoint that is asked; no answer depends on it, but people should know where it was another one.
        look: Change nothing on the disk.
    """
    folder = cell.folder(out)
    files = [folder / f"answers-{k}.jsonl" for k in range(1, answers + 1)]
    known = _read(folder / IDENTITY)
    # Answers that nobody knows the origin of are nobody's.
    why = _difference(known, json.loads(json.dumps(identity))) if known is not None else ("origin" if any(_there(files)) else "")
    dropped, recorders = 0, []
    for path in files:
        finished = path.is_file()
        recorder = Recorder(path, asked)
        found = len(recorder.rows)
        recorder.rows = {} if why else {id: row for id, row in recorder.rows.items() if row.get("asked") == asked[id]}
        dropped += found - len(recorder.rows)
        if not look and (found != len(recorder.rows) or (finished and recorder.missing)):
            _reopen(recorder)
        recorders.append(recorder)
    if not look and (why or known is None):
        write_json(folder / IDENTITY, identity)
    before, kept = str(_read(folder / ADDRESS) or ""), any(recorder.rows for recorder in recorders)
    if not look and address and not (before and kept):
        write_json(folder / ADDRESS, address)
    moved = before if kept and before != address else ""
    return Place(cell, recorders, dropped, why or ("items" if dropped else ""), moved)


def _there(files: Sequence[Path]) -> Iterator[bool]:
    return (path.is_file() or path.with_name(path.name + ".part").is_file() for path in files)


def _reopen(recorder: Recorder) -> None:
    """Makes the rows that stay an unfinished file again: a finished one would hide what is added to it."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in recorder.rows.values())
    write_text(recorder.partial, lines)
    recorder.path.unlink(missing_ok=True)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _difference(old: Any, new: Any, where: str = "") -> str:
    """The keys in which two identities differ; empty where they are the same."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = [_difference(old.get(key), new.get(key), f"{where}.{key}".lstrip(".")) for key in sorted({*old, *new})]
        return ", ".join(filter(None, found))
    return "" if old == new else where
