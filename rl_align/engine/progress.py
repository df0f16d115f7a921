"""What an engine process tells the person: lines in a file that the command follows, so that verl's and Ray's own output
does not bury them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def path_of(folder: Path, stage: str) -> Path:
    """The file of a stage's lines."""
    return folder / "logs" / f"{stage}.progress"


class Progress:
    """The writing side."""

    def __init__(self, folder: Path, stage: str):
        path = path_of(folder, stage)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "a", encoding="utf-8", buffering=1)

    def say(self, line: str) -> None:
        """One line for the person."""
        self._file.write(line + "\n")


class Follow:
    """The reading side: prints what was written since it was made."""

    def __init__(self, folder: Path, stage: str):
        self._path = path_of(folder, stage)
        self._at = self._path.stat().st_size if self._path.exists() else 0
        self._rest = ""

    def show(self, say: Callable[[str], None] | None = None) -> None:
        """Prints the new lines, or hands them to `say`; a line still being written waits for its end."""
        say = say or _printed
        if not self._path.exists():
            return
        with open(self._path, encoding="utf-8") as file:
            file.seek(self._at)
            text = self._rest + file.read()
            self._at = file.tell()
        *lines, self._rest = text.split("\n")
        for line in lines:
            say(f"    {line}")


def _printed(line: str) -> None:
    print(line, flush=True)


def last_line(folder: Path, stage: str) -> tuple[str, float] | None:
    """What a stage said last, and how many seconds ago; None before it has said anything."""
    path = path_of(folder, stage)
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
        return (lines[-1], max(0.0, time.time() - path.stat().st_mtime)) if lines else None
    except OSError:
        return None
