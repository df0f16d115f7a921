"""Judged answers in files: one JSON line an answer, kept as they come, so that a killed evaluation continues."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rl_align.pictograms.truth import Outcome
from rl_align.runfiles.atomic import read_lines, write_text
from rl_align.schema import Item, Response, Rewrite
from rl_align.transcript.rewriter import usable


def record(item: Item, response: Response, outcome: Outcome, *, tokens: int, stop: str) -> dict[str, Any]:
    """One line: the answer as generated, what was read out of it, and its judgement.

    Args:
        item: What was asked.
        response: The parsed answer.
        outcome: Its judgement.
        tokens: Tokens generated.
        stop: Why generation ended: `stop`, `max_tokens` or `model_length` (the prompt was too long).
    """
    return {
        "item_id": item.id,
        "text": response.raw,
        "tokens": tokens,
        "stop": stop,
        "behaviour": response.behaviour.value if response.behaviour else None,
        "citations": [str(c) for c in response.citations],
        "problems": list(response.problems),
        "outcome": asdict(outcome),
    }


def outcomes(rows: Iterable[Mapping[str, Any]]) -> list[Outcome]:
    """The judgements of recorded answers."""
    return [Outcome(**row["outcome"]) for row in rows]


def handed_on(row: Mapping[str, Any]) -> str | None:
    """The prompt that a rewriter's recorded text hands on; None when it holds none that can be used, as the guard sees it."""
    made = Rewrite(row["text"], rewrite=row["rewrite"], problems=tuple(row["problems"]))
    return made.rewrite if usable(made, row["stop"]) else None


class Recorder:
    """Records of one pass (model × split × temperature) over a fixed list of items.

    While the pass runs, answers are appended to `<path>.part`; `finish` puts them in the items' order and in place.

    Args:
        path: The finished file, `….jsonl`.
        ids: Ids of the items of the pass, in order.
        told: Called after each new record.
    """

    def __init__(self, path: Path, ids: Iterable[str], told: Callable[[], None] = lambda: None):
        self.path, self.ids, self.told = path, list(ids), told
        self.partial = path.with_name(path.name + ".part")
        wanted = set(self.ids)
        source = path if path.is_file() else self.partial
        self.rows = {row["item_id"]: row for row in read_lines(source) if row["item_id"] in wanted}
        self._file: Any = None

    @property
    def missing(self) -> list[str]:
        """Ids that have no record yet."""
        return [i for i in self.ids if i not in self.rows]

    def add(self, row: dict[str, Any]) -> None:
        """Keeps one record."""
        if self._file is None:
            # Rewritten once, because a killed writer may have left half a line.
            write_text(self.partial, "".join(map(_line, self.rows.values())))
            self._file = open(self.partial, "a", encoding="utf-8", errors="surrogatepass")
        self._file.write(_line(row))
        self._file.flush()
        self.rows[row["item_id"]] = row
        self.told()

    def save(self) -> None:
        """Writes the rows as they are now, where rows that were kept have changed."""
        self.close()
        write_text(self.partial if self.missing else self.path, "".join(map(_line, self.rows.values())))

    def finish(self) -> list[dict[str, Any]]:
        """Writes the finished file and returns its rows.

        Raises:
            RuntimeError: Items without a record.
        """
        if self.missing:
            raise RuntimeError(f"{len(self.missing)} of {len(self.ids)} items have no answer, first {self.missing[0]!r}")
        self.close()
        ordered = [self.rows[i] for i in self.ids]
        write_text(self.path, "".join(map(_line, ordered)))
        self.partial.unlink(missing_ok=True)
        return ordered

    def close(self) -> None:
        """Closes the file; the records stay."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def remove(folder: Path) -> None:
    """Removes the records of a folder, finished and partial."""
    for path in folder.rglob("*.jsonl*") if folder.is_dir() else ():
        os.unlink(path)
