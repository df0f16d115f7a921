"""A run folder as the page asks for it: what there is, a list, a row in full, a search. Reads only, and only what is asked for."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl_align.data.untrusted import file_below, shown, small_png
from rl_align.errors import UserError
from rl_align.policy.catalogue import Catalogue
from rl_align.report.rollouts import rollout_folders
from rl_align.report.view import answers, rollouts
from rl_align.report.view.answers import AnswerFile
from rl_align.report.view.detail import item_detail
from rl_align.report.view.items import ItemCache, ItemTable, PictureCell, PictureFile, Pictures
from rl_align.report.view.lines import LinesCache, matching, stamp_of
from rl_align.report.view.outcomes import OUTCOMES
from rl_align.report.view.records import answer_record, rollout_records
from rl_align.report.view.section import Section

#: What makes a folder a run.
_SIGNS = ("config.yaml", "stages", "eval", "rollouts", "data", "summary.json")
#: Longest text that is looked for.
MAX_QUERY = 200
#: Side of the pictures that are shown, pixels.
EDGE = 512


@dataclass
class _Known:
    """A list as it was read, with what it was read from."""

    stamp: Any
    section: Section
    notes: list[str]
    items: ItemTable
    files: Sequence[AnswerFile] = ()
    pictures: Path | None = None


class RunFolder:
    """One run folder. Thread-safe.

    Args:
        folder: The folder.

    Raises:
        UserError: It is none of a run.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        if not self.folder.is_dir() or not any((self.folder / sign).exists() for sign in _SIGNS):
            raise UserError("there is no run here", where=str(folder), expected="a run folder, such as runs/quickstart")
        self.name = shown(self.folder.resolve().name, 100)
        self.catalogue = Catalogue.load()
        self._lines, self._items, self._pictures = LinesCache(), ItemCache(), Pictures()
        self._sections: dict[str, _Known] = {}
        self._lock = threading.RLock()

    def overview(self) -> dict[str, Any]:
        """What there is to look at, and what is missing."""
        tables, stages = answers.find_answers(self.folder), self._stages()
        sections = [(answers.section_id(split, kind), f"{split}, {kind}", "answers") for split, kind in tables]
        sections += [(rollouts.section_id(stage), f"{stage}, by step", "rollouts") for stage in stages]
        notes = [] if tables else ["No model has been measured yet: there are no records in eval/."]
        notes += [] if stages else ["No rollouts have been recorded yet: there are none in rollouts/."]
        notes += [f"The stage {name} was begun and is not finished." for name in self._unfinished()]
        return {
            "name": self.name,
            "sections": [{"id": id, "title": shown(title, 120), "kind": kind} for id, title, kind in sections],
            "notes": [shown(note, 300) for note in notes],
            "outcomes": [outcome._asdict() for outcome in OUTCOMES],
        }

    def section(self, id: str) -> tuple[Section, list[str]]:
        """A list, and what is to be said about it; read again when its files have changed.

        Raises:
            KeyError: There is no such list.
        """
        with self._lock:
            known = self._known(id)
            return known.section, known.notes

    def read_first(self) -> None:
        """Reads the list that opens first, so that it is there when it is asked for."""
        for section in self.overview()["sections"][:1]:
            self.index(section["id"])

    def index(self, id: str) -> dict[str, Any]:
        """A list as the page reads it. Raises KeyError as `section` does."""
        with self._lock:
            known = self._known(id)
            return known.section.index | {"notes": known.notes}

    def unit(self, id: str, key: str) -> dict[str, Any]:
        """A row of a list in full.

        Raises:
            KeyError: There is no such list or row.
        """
        with self._lock:
            known = self._known(id)
            section, items = known.section, known.items
            unit = section.units[key]
            item_id = section.items[unit]
            item, light = items.item(item_id), items.rows.get(item_id)
            rows = [(column, place.read()) for column, place in section.records(unit)]
            pictures = self._name_pictures(known, item_id, [row for _, row in rows])
            if section.kind == "answers":
                records = [self._answer(known, column, row, item) for column, row in rows]
            else:
                records = rollout_records(rows, light, item, self.catalogue)
            asked = rows[0][1].get("prompt") if rows else None
            told = item_detail(item, item_id, pictures, self.catalogue, asked)
            return {"item": told, "step": section.step(unit), "records": records}

    def search(self, id: str, text: str) -> list[str]:
        """Keys of the rows whose id, prompt or texts hold a text, whatever its case. Raises KeyError as `section` does."""
        with self._lock:
            known, text = self._known(id), text[:MAX_QUERY].lower()
            section, rows = known.section, known.items.rows
            found = {unit for unit, item_id in enumerate(section.items) if _holds(rows.get(item_id), item_id, text)}
            units = section.record_rows()
            where = {(place.path, place.start): unit for place, unit in zip(section.places, units, strict=True)}
            for path in {place.path for place in section.places}:
                for start, row in matching(path, text):
                    unit = where.get((path, start))
                    if unit is not None and any(text in str(row.get(name) or "").lower() for name in ("text", "prompt", "rewrite")):
                        found.add(unit)
            return [key for key, unit in section.units.items() if unit in found]

    def png(self, digest: str, edge: int = EDGE) -> bytes | None:
        """A picture that a row has named, encoded anew; None for anything else."""
        with self._lock:
            place = self._pictures.place(digest)
            if isinstance(place, PictureFile):
                return small_png(file_below(place.root, place.relative), edge)
            if isinstance(place, PictureCell):
                stored = place.table.pictures(place.item_id)
                return small_png(stored[place.index], edge) if place.index < len(stored) else None
            return None

    def _known(self, id: str) -> _Known:
        kind, _, rest = id.partition("/")
        if kind == "answers":
            split, _, passed = rest.rpartition("/")
            files, items = answers.find_answers(self.folder)[split, passed], self._items_of(split)
            stamp = (items, [(file, stamp_of(file.path)) for file in files])
            if not self._unchanged(id, stamp):
                built = answers.build(split, passed, files, items, self._lines)
                self._sections[id] = _Known(stamp, *built, items, files)
        elif kind == "rollouts":
            place, items = self._stages()[rest], self._items_of("train")
            stamp = (items, [(path, stamp_of(path)) for path in rollouts.step_files(place)])
            if not self._unchanged(id, stamp):
                built = rollouts.build(rest, place, items, self._lines)
                self._sections[id] = _Known(stamp, *built, items, pictures=place / "images")
        return self._sections[id]

    def _unchanged(self, id: str, stamp: Any) -> bool:
        return id in self._sections and self._sections[id].stamp == stamp

    def _stages(self) -> dict[str, Path]:
        return {stage: place for stage, place in rollout_folders(self.folder).items() if rollouts.step_files(place)}

    def _items_of(self, split: str) -> ItemTable:
        return self._items.read(self.folder / "data" / f"{split}.parquet")

    def _unfinished(self) -> list[str]:
        records = self.folder / "stages"
        begun = [path.name.removesuffix(".begun.json") for path in sorted(records.glob("*.begun.json"))]
        return [name for name in begun if not (records / f"{name}.json").exists()]

    def _name_pictures(self, known: _Known, item_id: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Names of an item's pictures; of one that is in no file of the run, of the picture beside its rollouts."""
        stored = known.items.pictures(item_id)
        if stored or known.pictures is None:
            return [self._pictures.name(data, PictureCell(known.items, item_id, k)) for k, data in enumerate(stored)]
        relative = next((row["image"] for row in rows if isinstance(row.get("image"), str)), "").removeprefix("images/")
        data = file_below(known.pictures, relative)
        return [self._pictures.name(data, PictureFile(known.pictures, relative))] if data else []

    def _answer(self, known: _Known, column: int, row: dict[str, Any], item: Any) -> dict[str, Any]:
        file, behind = known.files[column], None
        if file.rewriter is not None:
            lines = self._lines.read(file.rewriter, answers.keep)
            behind = next((place.read() for told, place in lines.rows if told["item_id"] == row.get("item_id")), None)
        title = known.section.columns[column]
        return answer_record(title, column, row, item, self.catalogue, rewrites=file.rewrites, behind=behind)


def _holds(light: Mapping[str, Any] | None, item_id: str, text: str) -> bool:
    return text in item_id.lower() or bool(light and text in light["prompt"].lower())
