"""JSON lines files that may be damaged, torn or still growing: what is kept of every line, and where the line stands."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Place:
    """Where a line stands, so that it is read again only when somebody looks at it."""

    path: Path
    start: int
    length: int

    def read(self) -> dict[str, Any]:
        """The line; empty when the file has changed underneath."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self.start)
                return parse(file.read(self.length)) or {}
        except OSError:
            return {}


@dataclass
class Lines:
    """What was kept of a file.

    Attributes:
        rows: What was kept of each line, and its place.
        damaged: Whole lines that could not be read.
        torn: Whether the last line has no end: its writer was killed, or is writing it.
    """

    rows: list[tuple[dict[str, Any], Place]] = field(default_factory=list)
    damaged: int = 0
    torn: bool = False


class LinesCache:
    """Files as they were read last; one that has changed is read again."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], Lines]] = {}

    def read(self, path: Path, keep: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Lines:
        """The lines of a file; none of one that is not there.

        Args:
            path: The file. It is always read with the same `keep`.
            keep: What to hold of a line in memory; None for a line that is not what it should be.
        """
        stamp = stamp_of(path)
        if stamp is None:
            return Lines()
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, _read(path, keep))
            self._known[path] = known
        return known[1]


def stamp_of(path: Path) -> tuple[int, int] | None:
    """What changes when a file does; None for one that is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def parse(line: bytes) -> dict[str, Any] | None:
    """The JSON object of a line; None when it is none."""
    try:
        row = json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def number(value: Any) -> float | int | None:
    """A finite number as JSON has it; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer with hundreds of digits
        return None


def matching(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines that hold a text somewhere, whatever its case, with their starts. Lines are parsed only where they may match."""
    needle = json.dumps(text, ensure_ascii=False)[1:-1].lower()
    try:
        with open(path, "rb") as file:
            start = 0
            for line in file:
                if needle in line.decode("utf-8", "replace").lower() and (row := parse(line)):
                    yield start, row
                start += len(line)
    except OSError:
        return


def _read(path: Path, keep: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Lines:
    lines = Lines()
    try:
        with open(path, "rb") as file:
            start = 0
            for line in file:
                if not line.endswith(b"\n"):
                    lines.torn = True
                    break
                row = parse(line)
                kept = None if row is None else keep(row)
                if kept is None:
                    lines.damaged += bool(line.strip())
                else:
                    lines.rows.append((kept, Place(path, start, len(line))))
                start += len(line)
    except OSError:
        return Lines()
    return lines
