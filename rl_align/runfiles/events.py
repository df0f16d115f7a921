"""What happened in a run that a person should know of: `events.jsonl` in its folder, one line an event."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rl_align.runfiles.atomic import append_line, read_lines

FILE = "events.jsonl"


def add(folder: Path, stage: str, step: int, kind: str, message: str) -> None:
    """Appends one event.

    Args:
        folder: Run folder.
        stage: Stage that it happened in.
        step: Training step.
        kind: What it is, such as `alarm`.
        message: In words.
    """
    at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    append_line(folder / FILE, {"stage": stage, "step": step, "at": at, "kind": kind, "message": message})


def events(folder: Path) -> list[dict[str, Any]]:
    """All events, oldest first. A step that was done again may have told of the same thing twice: the last one counts."""
    found = {(e["stage"], e["step"], e["kind"], e["message"]): e for e in read_lines(folder / FILE)}
    return list(found.values())
