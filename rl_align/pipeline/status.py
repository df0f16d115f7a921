"""Where a run folder stands: its stages, committed steps, alarms, checkpoints, what models were made from, results. Reads only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rl_align.engine.progress import Follow, last_line
from rl_align.errors import UserError
from rl_align.pipeline.lineage import lineage
from rl_align.pipeline.lineage import lines as lineage_lines
from rl_align.pipeline.stages import RECORDS, seconds, timings
from rl_align.runfiles.atomic import read_lines
from rl_align.runfiles.events import events
from rl_align.runfiles.ledger import Ledger
from rl_align.runfiles.manifest import read_manifest

#: Alarms that are shown; all of them are in `events.jsonl`.
LATEST_ALARMS = 5


def status(folder: Path | str) -> list[str]:
    """Lines that say what is done, what was interrupted, and what is there to look at.

    Raises:
        UserError: There is no run in the folder, or its ledger is damaged.
    """
    folder = Path(folder)
    records = folder / RECORDS
    if not records.is_dir() and not (folder / "ledger.jsonl").exists():
        raise UserError("there is no run here", where=str(folder), expected="a run folder, such as runs/quickstart")
    done = timings(folder)
    lines = [f"{folder}"]
    lines += [f"  done         {name} ({seconds(done[name])})" for name in sorted(done, key=lambda n: _age(records, n))]
    for path in _unfinished(folder):
        lines += [f"  {_state(path)}", *_now(folder, path)]
    lines += _steps(folder) + _alarms(folder) + _checkpoints(folder)
    lines += [f"  lineage      {line}" for line in lineage_lines(lineage(folder))]
    lines += [f"  result       {folder / name}" for name in ("summary.json", "report.html") if (folder / name).exists()]
    return lines


def follow(folder: Path | str, say: Callable[[str], None] = print, every: float = 1.0) -> None:
    """Says where a run stands, then what its stages say, until none of them runs any more.

    Args:
        folder: Run folder.
        say: Takes lines.
        every: Seconds between two looks.

    Raises:
        UserError: There is no run in the folder.
    """
    folder = Path(folder)
    for line in status(folder):
        say(line)
    following: dict[str, Follow] = {}
    while running := {path.name[:-11] for path in _unfinished(folder) if _runs(path)}:
        for name in following.keys() - running:
            following.pop(name).show(say)
            say(f"  ended        {name}")
        for name in sorted(running):
            if name not in following:
                following[name] = Follow(folder, name)
                say(f"  running      {name}")
            following[name].show(say)
        time.sleep(every)
    for name, last in following.items():
        last.show(say)
        say(f"  ended        {name}")
    say(f"nothing runs in {folder}")


def _unfinished(folder: Path) -> Iterator[Path]:
    """The notes of stages that have begun and are not done."""
    done = timings(folder)
    return (path for path in sorted((folder / RECORDS).glob("*.begun.json")) if path.name[:-11] not in done)


def _age(records: Path, name: str) -> float:
    return (records / f"{name}.json").stat().st_mtime


def _state(path: Path) -> str:
    name = path.name[:-11]
    try:
        begun: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError:
        return f"interrupted  {name}"
    when = f"begun {begun.get('begun')}, attempt {begun.get('attempts')}"
    return f"{'running    ' if _runs(path) else 'interrupted'}  {name} ({when})"


def _runs(path: Path) -> bool:
    """Whether the stage that a note is of is at work."""
    try:
        return _alive(json.loads(path.read_bytes()).get("pid"))
    except (ValueError, OSError):
        return False


def _now(folder: Path, path: Path) -> list[str]:
    """What a running stage said last, with how long ago."""
    said = last_line(folder, path.name[:-11]) if _runs(path) else None
    return [] if said is None else [f"    {said[0]} ({seconds(said[1])} ago)"]


def _alive(pid: Any) -> bool:
    """Whether this is a process of ours; process ids are used again."""
    try:
        command = Path(f"/proc/{int(pid)}/cmdline").read_bytes()
    except (OSError, ValueError, TypeError):
        return False
    return b"rl-align" in command or b"rl_align" in command


def _steps(folder: Path) -> list[str]:
    ledger = Ledger(folder / "ledger.jsonl")
    lines = []
    for stage in dict.fromkeys(entry.stage for entry in ledger.entries()):
        force = ledger.committed(stage)
        redone = sum(entry.redone for entry in ledger.entries(stage))
        lines.append(f"  steps        {stage}: {len(force)} committed, the last is {force[-1].step}; {redone} redone")
    last = next(reversed(list(read_lines(folder / "metrics.jsonl"))), {})
    return lines + ([f"  reward       {last['reward/total']:.3f} at the last step"] if "reward/total" in last else [])


def _alarms(folder: Path) -> list[str]:
    raised = [event for event in events(folder) if event["kind"] == "alarm"]
    lines = [f"  ALARM        {event['stage']}, step {event['step']}: {event['message']}" for event in raised[-LATEST_ALARMS:]]
    earlier = len(raised) - len(lines)
    return ([f"  alarms       {earlier} earlier ones are in {folder / 'events.jsonl'}"] if earlier else []) + lines


def _checkpoints(folder: Path) -> list[str]:
    sealed = [path for path in sorted((folder / "checkpoints").rglob("manifest.json")) if read_manifest(path.parent)]
    return [f"  checkpoint   {path.parent.relative_to(folder)}" for path in sealed]
