"""A run folder as the page asks for it: what there is, a list, a row in full, a search. Reads only, and only what is asked for."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rl_align.data.untrusted import file_below, shown, small_png
from rl_align.errors import UserError
from rl_align.policy.catalogue import Catalogue
from rl_align.report.rollouts import rollout_folders
from rl_align.report.view import answers, rollouts
from rl_align.report.view.answers import AnswerFile
from rl_align.report.view.detail import facts, item_detail, judges_detail, response_hop, reward_detail, rewrite_hop
from rl_align.report.view.items import ItemCache, ItemTable, PictureCell, PictureFile, Pictures
from rl_align.report.view.lines import LinesCache, matching, stamp_of
from rl_align.report.view.outcomes import OUTCOMES, of_answer, of_rollout
from rl_align.report.view.section import Section
from rl_align.report.view.texts import runs
from rl_align.schema import Item, Seat

#: What makes a folder a run.
_SIGNS = ("config.yaml", "stages", "eval", "rollouts", "data", "summary.json")
#: Longest text that is looked for.
MAX_QUERY = 200
#: Side of the pictures that are shown, pixels.
EDGE = 512


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
        self._sections: dict[str, tuple[Any, Section, list[str]]] = {}
        self._lock = threading.RLock()

    def overview(self) -> dict[str, Any]:
        """What there is to look at, and what is missing."""
        tables, stages = answers.find_answers(self.folder), self._stages()
        sections = [
            {"id": answers.section_id(split, kind), "title": f"{split}, {kind}", "kind": "answers"} for split, kind in tables
        ]
        sections += [{"id": rollouts.section_id(stage), "title": f"{stage}, by step", "kind": "rollouts"} for stage in stages]
        notes = [] if tables else ["No model has been measured yet: there are no records in eval/."]
        notes += [] if stages else ["No rollouts have been recorded yet: there are none in rollouts/."]
        notes += [f"The stage {name} was begun and is not finished." for name in self._unfinished()]
        return {
            "name": self.name,
            "sections": [{key: shown(value, 120) for key, value in section.items()} for section in sections],
            "notes": [shown(note, 300) for note in notes],
            "outcomes": [outcome._asdict() for outcome in OUTCOMES],
        }

    def section(self, id: str) -> tuple[Section, list[str]]:
        """A list, and what is to be said about it; read again when its files have changed.

        Raises:
            KeyError: There is no such list.
        """
        with self._lock:
            kind, _, rest = id.partition("/")
            if kind == "answers":
                split, _, passed = rest.rpartition("/")
                files = answers.find_answers(self.folder)[split, passed]
                items = self._split(split)
                stamp = (items, [(file, stamp_of(file.path)) for file in files])
                return self._built(id, stamp, lambda: answers.build(split, passed, files, items, self._lines))
            if kind == "rollouts":
                place = self._stages()[rest]
                items = self._split("train")
                stamp = (items, [(path, stamp_of(path)) for path in rollouts.step_files(place)])
                return self._built(id, stamp, lambda: rollouts.build(rest, place, items, self._lines))
            raise KeyError(id)

    def read_first(self) -> None:
        """Reads the list that opens first, so that it is there when it is asked for."""
        for section in self.overview()["sections"][:1]:
            self.index(section["id"])

    def index(self, id: str) -> dict[str, Any]:
        """A list as the page reads it. Raises KeyError as `section` does."""
        with self._lock:
            section, notes = self.section(id)
            return section.index | {"notes": notes}

    def unit(self, id: str, key: str) -> dict[str, Any]:
        """A row of a list in full.

        Raises:
            KeyError: There is no such list or row.
        """
        with self._lock:
            section, _ = self.section(id)
            unit = section.units[key]
            item_id = section.items[unit]
            rows = [(column, place.read()) for column, place in section.records(unit)]
            kind, _, rest = id.partition("/")
            split = rest.rpartition("/")[0] if kind == "answers" else "train"
            items = self._split(split)
            item = items.item(item_id)
            asked = rows[0][1].get("prompt") if rows else None
            pictures = self._named_pictures(items, item_id, id, [row for _, row in rows])
            if kind == "answers":
                files = answers.find_answers(self.folder)[tuple(rest.rsplit("/", 1))]  # type: ignore[index]
                records = [self._answer(section, column, row, files[column], item) for column, row in rows]
            else:
                records = self._rollouts(rows, items.rows.get(item_id), item)
            told = item_detail(item, item_id, pictures, self.catalogue, asked)
            return {"item": told, "step": section.step(unit), "records": records}

    def search(self, id: str, text: str) -> list[str]:
        """Keys of the rows whose id, prompt or texts hold a text, whatever its case. Raises KeyError as `section` does."""
        with self._lock:
            section, _ = self.section(id)
            text = text[:MAX_QUERY].lower()
            items = self._split(id.partition("/")[2].rpartition("/")[0] if id.startswith("answers/") else "train")
            found = {k for k, item_id in enumerate(section.items) if _holds(items.rows.get(item_id), item_id, text)}
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

    def _built(self, id: str, stamp: Any, build: Any) -> tuple[Section, list[str]]:
        known = self._sections.get(id)
        if known is None or known[0] != stamp:
            known = self._sections[id] = (stamp, *build())
        return known[1], known[2]

    def _stages(self) -> dict[str, Path]:
        return {stage: place for stage, place in rollout_folders(self.folder).items() if rollouts.step_files(place)}

    def _split(self, name: str) -> ItemTable:
        return self._items.read(self.folder / "data" / f"{name}.parquet")

    def _unfinished(self) -> list[str]:
        records = self.folder / "stages"
        begun = [path.name.removesuffix(".begun.json") for path in sorted(records.glob("*.begun.json"))]
        return [name for name in begun if not (records / f"{name}.json").exists()]

    def _named_pictures(self, items: ItemTable, item_id: str, id: str, rows: list[dict[str, Any]]) -> list[str]:
        stored = items.pictures(item_id)
        if stored or not id.startswith("rollouts/"):
            return [self._pictures.name(data, PictureCell(items, item_id, k)) for k, data in enumerate(stored)]
        root = self._stages()[id.partition("/")[2]] / "images"
        relative = next((row["image"] for row in rows if isinstance(row.get("image"), str)), "").removeprefix("images/")
        data = file_below(root, relative)
        return [self._pictures.name(data, PictureFile(root, relative))] if data else []

    def _answer(self, section: Section, column: int, row: dict[str, Any], file: AnswerFile, item: Item | None) -> dict[str, Any]:
        if file.rewrites:
            hops = [rewrite_hop(row.get("text"), item, self.catalogue)]
        else:
            hops = [response_hop(row.get("text"), item, self.catalogue)]
            told = self._rewriters_row(file.rewriter, row.get("item_id"))
            hops = ([rewrite_hop(told.get("text"), item, self.catalogue)] if told else []) + hops
        asked = row.get("rewrite") if not file.rewrites else None
        return {
            "title": section.columns[column],
            "same": None,
            "column": column,
            "outcomes": of_answer(row),
            "asked": runs(asked) if isinstance(asked, str) and (item is None or asked != item.prompt) else None,
            "hops": hops,
            "reward": None,
            "judges": judges_detail(row),
            "facts": facts(row, {"stop": "ended by", "tokens": "tokens"}),
        }

    def _rewriters_row(self, path: Path | None, item_id: object) -> dict[str, Any]:
        lines = self._lines.read(path, answers.keep) if path else None
        return next((place.read() for row, place in (lines.rows if lines else []) if row["item_id"] == item_id), {})

    def _rollouts(
        self, rows: Sequence[tuple[int, dict[str, Any]]], light: Mapping[str, Any] | None, item: Item | None
    ) -> list[dict[str, Any]]:
        both = len({row.get("seat") for _, row in rows}) > 1
        first: dict[object, int] = {}
        records = []
        for column, row in rows:
            title = f"{row.get('seat')} in episode {row.get('session')}" if both else f"sibling {column + 1}"
            same = first.setdefault(str(row.get("text")), column)
            told = {"title": shown(title, 80), "same": same + 1 if same != column else None}
            records.append(told | self._rollout(column, row, light, item))
        return records

    def _rollout(self, column: int, row: dict[str, Any], light: Mapping[str, Any] | None, item: Item | None) -> dict[str, Any]:
        hop = rewrite_hop if row.get("seat") == Seat.REWRITER.value else response_hop
        asked = row.get("prompt")
        differs = isinstance(asked, str) and item is not None and asked.strip() != item.prompt.strip()
        return {
            "column": column,
            "outcomes": of_rollout(row, light),
            "asked": runs(asked) if differs else None,
            "hops": [hop(row.get("text"), item, self.catalogue)],
            "reward": reward_detail(row),
            "judges": judges_detail(row),
            "facts": facts(row, {"status": "status", "tokens": "tokens"}),
        }


def _holds(light: Mapping[str, Any] | None, item_id: str, text: str) -> bool:
    return text in item_id.lower() or bool(light and text in light["prompt"].lower())
