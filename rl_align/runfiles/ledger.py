"""The ledger of committed steps: which items each training step used. Append-only; resuming never rewrites history.

A step written again says that the run was rolled back to before it: it is marked as redone, and every earlier entry of
that stage from this step on is no longer in force.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from rl_align.errors import UserError
from rl_align.runfiles.atomic import append_line, read_lines


@dataclass(frozen=True)
class Entry:
    """One committed step.

    Attributes:
        stage: Name of the stage, for example "grpo".
        step: Number of the step, from 1.
        items: Ids of the items of the step, in order.
        attempt: How often this step has been committed, this time included.
        redone: Whether it had been committed before.
        time: When, ISO 8601 in UTC.
    """

    stage: str
    step: int
    items: tuple[str, ...]
    attempt: int
    redone: bool
    time: str


class Ledger:
    """Reads and appends a ledger file. One writer at a time (the engine lock sees to that).

    Args:
        path: JSON lines file; made by the first commit. A torn last line counts as not written.

    Raises:
        UserError: A whole line that is not an entry.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self._entries = [self._entry(number, value) for number, value in enumerate(read_lines(self.path), start=1)]

    def commit(self, stage: str, step: int, items: Sequence[str]) -> Entry:
        """Append a step; it is on the disk when this returns. Raises UserError when the disk is full."""
        earlier = sum(1 for entry in self._entries if (entry.stage, entry.step) == (stage, step))
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        entry = Entry(stage, int(step), tuple(items), attempt=earlier + 1, redone=earlier > 0, time=now)
        append_line(self.path, asdict(entry))
        self._entries.append(entry)
        return entry

    def entries(self, stage: str | None = None) -> list[Entry]:
        """Everything ever committed, in the order of writing."""
        return [entry for entry in self._entries if stage in (None, entry.stage)]

    def committed(self, stage: str) -> list[Entry]:
        """The entries in force, one a step, in the order of steps."""
        force: dict[int, Entry] = {}
        for entry in self.entries(stage):
            if entry.step in force:
                force = {step: kept for step, kept in force.items() if step < entry.step}
            force[entry.step] = entry
        return [force[step] for step in sorted(force)]

    def clean(self, stage: str) -> dict[int, tuple[str, ...]]:
        """Step → item ids in force. Equal for a run that was killed and resumed and for one that was not."""
        return {entry.step: entry.items for entry in self.committed(stage)}

    def _entry(self, number: int, value: object) -> Entry:
        try:
            return Entry(**{**value, "items": tuple(value["items"])})  # type: ignore[dict-item, index]
        except (TypeError, KeyError) as error:
            raise UserError("the line is not a ledger entry", where=f"{self.path}:{number}") from error
