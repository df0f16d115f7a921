"""Evaluation records as lists: one a split and kind of pass, a row an item, a record the answer of a model.

`eval/<model>/<split>/<kind>.jsonl` is a column; so is `eval/matrix/<responder>+<rewriter>/…`, whose answers are shown with the
text of the rewriter that they stand behind (`eval/matrix/rewriters/<rewriter>/…`). Any other folder of records below `eval/` is a
column of its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl_align.data.untrusted import shown
from rl_align.eval.matrix import NO_REWRITER
from rl_align.eval.run import GREEDY, SAMPLED
from rl_align.report.view.facets import Facet
from rl_align.report.view.items import ItemTable
from rl_align.report.view.lines import Lines, LinesCache
from rl_align.report.view.outcomes import NAMES, of_answer
from rl_align.report.view.section import Section, item_facets, item_values
from rl_align.schema import Behaviour

MATRIX, REWRITERS, BEHIND = "matrix", "rewriters", " behind "
#: Folders of `eval/` that hold logs.
_LOGS = ("inspect", "servers")
_FIRST = ("base", "sft", "grpo")
_DEPTH = 6


@dataclass(frozen=True)
class AnswerFile:
    """Records of one pass.

    Attributes:
        split: Name of the split.
        kind: Name of the pass: greedy, sampled.
        column: What the page calls who answered.
        path: The file, finished or in progress.
        rewriter: Records of the rewriter that the answers stand behind.
        rewrites: Whether the records are a rewriter's own.
    """

    split: str
    kind: str
    column: str
    path: Path
    rewriter: Path | None = None
    rewrites: bool = False

    @property
    def finished(self) -> bool:
        """Whether the pass has come to its end."""
        return self.path.suffix == ".jsonl"


def find_answers(folder: Path) -> dict[tuple[str, str], list[AnswerFile]]:
    """(split, kind) → its columns, in the order in which they are shown."""
    root = folder / "eval"
    found: dict[tuple[str, str, str], AnswerFile] = {}
    for path in sorted(p for pattern in ("*.jsonl", "*.jsonl.part") for p in root.rglob(pattern)):
        parts = path.relative_to(root).parts
        if not 3 <= len(parts) <= _DEPTH or parts[0] in _LOGS or not path.is_file():
            continue
        *place, split, name = parts
        one = _file(root, place, split, name.partition(".jsonl")[0], path)
        found.setdefault((one.split, one.kind, one.column), one)  # a finished file sorts before the one in progress
    behind = {(f.split, f.kind, f.rewriter) for f in found.values() if f.rewriter}
    files = [f for f in found.values() if not (f.rewrites and (f.split, f.kind, f.path) in behind)]
    tables: dict[tuple[str, str], list[AnswerFile]] = {}
    for file in sorted(files, key=lambda f: (f.split, (GREEDY, SAMPLED, f.kind).index(f.kind), f.kind, _order(f.column))):
        tables.setdefault((file.split, file.kind), []).append(file)
    return tables


def build(split: str, kind: str, files: Sequence[AnswerFile], items: ItemTable, cache: LinesCache) -> tuple[Section, list[str]]:
    """The list of a split, and what is to be said about it."""
    read = [cache.read(file.path, keep) for file in files]
    facets = {
        "outcome": Facet("Outcome", "record", NAMES),
        "behaviour": Facet("Behaviour shown", "record", [b.value for b in Behaviour]),
        "stop": Facet("Ended by", "record", ("stop",)),
        **item_facets(),
        "problem": Facet("Departure from the format", "record", ("none",)),
    }
    section = Section(section_id(split, kind), f"{split}, {kind}", "answers", [shown(f.column, 60) for f in files], facets)
    answers = [{row["item_id"]: (row, place) for row, place in lines.rows} for lines in read]
    ids = dict.fromkeys([i for i in items.rows if any(i in table for table in answers)])
    ids |= dict.fromkeys(i for table in answers for i in table)
    for item_id in ids:
        light = items.rows.get(item_id)
        section.add_unit(item_id, item_id, light["prompt"] if light else "", 0, item_values(light))
        for column, table in enumerate(answers):
            if item_id in table:
                row, place = table[item_id]
                section.add_record(column, row, place, of_answer(row), _values(row))
    return section, _notes(split, kind, files, read, items, len(ids))


def section_id(split: str, kind: str) -> str:
    """The id of a split's list."""
    return f"answers/{split}/{kind}"


def keep(row: dict[str, Any]) -> dict[str, Any] | None:
    """An answer without its text."""
    if not isinstance(row.get("item_id"), str):
        return None
    names = ("item_id", "tokens", "stop", "behaviour", "problems", "outcome", "rewritten")
    return {name: row[name] for name in names if name in row}


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    problems = row.get("problems")
    behaviour = row.get("behaviour", "none")
    return {
        "behaviour": "none" if behaviour is None else str(behaviour),
        "stop": str(row.get("stop", "unknown")),
        "problem": list(map(str, problems)) if isinstance(problems, list) and problems else "none",
    }


def _notes(split: str, kind: str, files: Sequence[AnswerFile], read: Sequence[Lines], items: ItemTable, most: int) -> list[str]:
    notes = [f"Items without pictures and labels: {items.problem}"] if items.problem else []
    for file, lines in zip(files, read, strict=True):
        name, rows = f"{file.column} on {split}, {kind}", len(lines.rows)
        if not file.finished:
            notes.append(f"{name}: not finished, {rows} answers so far")
        elif rows < most:
            notes.append(f"{name}: {rows} of {most} items")
        if lines.damaged:
            notes.append(f"{name}: {lines.damaged} damaged lines were skipped")
        if lines.torn:
            notes.append(f"{name}: the last line has no end and was skipped")
    return [shown(note, 300) for note in notes]


def _file(root: Path, place: Sequence[str], split: str, kind: str, path: Path) -> AnswerFile:
    if place[0] == MATRIX and len(place) == 3 and place[1] == REWRITERS:
        return AnswerFile(split, kind, f"rewriter {place[2]}", path, rewrites=True)
    if place[0] == MATRIX and len(place) == 2 and "+" in place[1]:
        responder, _, rewriter = place[1].partition("+")
        told = root / MATRIX / REWRITERS / rewriter / split / f"{kind}.jsonl"
        return AnswerFile(split, kind, f"{responder}{BEHIND}{rewriter}", path, told if rewriter != NO_REWRITER else None)
    return AnswerFile(split, kind, "/".join(place), path)


def _order(column: str) -> tuple[Any, ...]:
    """Models in the order in which they come to be, those behind rewriters last, numbers as numbers."""
    responder, behind, rewriter = column.partition(BEHIND)

    def rank(name: str) -> tuple[Any, ...]:
        known = _FIRST.index(name) if name in _FIRST else len(_FIRST)
        return (-1 if name == NO_REWRITER else known, [(int(t), "") if t.isdigit() else (-1, t) for t in re.split(r"(\d+)", name)])

    return (bool(behind), *rank(responder), *rank(rewriter))
