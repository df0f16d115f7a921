"""`gpu_check.json`: what a check has done and measured so far. Whole at any moment: it is replaced, never written in place."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rl_align.errors import UserError
from rl_align.pipeline.gpu_check.checks import judge
from rl_align.pipeline.gpu_check.measure import read_json
from rl_align.runfiles.atomic import write_json

NAME = "gpu_check.json"
#: States of a step. A step that is found running by another check was interrupted.
RUNNING, DONE, STOPPED, FAILED, NOT_REACHED, INTERRUPTED = "running", "done", "stopped", "failed", "not reached", "interrupted"


class Record:
    """The record of a check in a folder.

    Args:
        folder: Of the check.
        kind: Of the plan.
        steps: Names of its steps, in order.

    Raises:
        UserError: The folder holds a check of another kind.
    """

    def __init__(self, folder: Path, kind: str, steps: list[str]):
        self.path, self.names = folder / NAME, steps
        before = read_json(self.path)
        before = before if isinstance(before, dict) and isinstance(before.get("steps"), dict) else {}
        was = before.get("about", {}).get("kind", kind)
        if was != kind:
            what = f"holds a {was} check, and this is a {kind} one"
            raise UserError(what, where=str(self.path), fix="give another folder with --folder")
        self.steps: dict[str, dict[str, Any]] = {name: before["steps"][name] for name in steps if name in before.get("steps", {})}
        for step in self.steps.values():
            if step.get("state") == RUNNING:
                step["state"] = INTERRUPTED
        self.attempts = int(before.get("about", {}).get("attempts", 0)) + 1
        self.about: dict[str, Any] = {"kind": kind, "attempts": self.attempts, "began": now()}
        self.machine: dict[str, Any] = {}
        self.measured: dict[str, Any] = {}

    def step(self, name: str, **facts: Any) -> dict[str, Any]:
        """The entry of a step, with these facts put in."""
        entry = self.steps.setdefault(name, {})
        entry.update(facts)
        return entry

    def save(self) -> None:
        """Writes it, with the verdicts on what is there."""
        steps = {name: self.steps.get(name, {"state": NOT_REACHED}) for name in self.names}
        whole: dict[str, Any] = {
            "about": {**self.about, "updated": now()},
            "machine": self.machine,
            "model": None,
            "steps": steps,
            "generation": {},
            "update": None,
            "weight_sync": {},
            "memory": {},
            "correlation": {},
            "curves": {},
            "evaluation": None,
            **self.measured,
        }
        left = {name: entry.get("why", "") for name, entry in steps.items() if entry["state"] != DONE}
        write_json(self.path, {**whole, "checks": judge(whole, self.names), "complete": not left, "not_reached": left})


def now() -> str:
    """The time, ISO 8601 in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
