"""Where a run folder stands: its stages, committed steps, checkpoints, what models were made from, results. Reads only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rl_align.errors import UserError
from rl_align.pipeline.lineage import lineage
from rl_align.pipeline.lineage import lines as lineage_lines
from rl_align.pipeline.stages import RECORDS, seconds, timings
from rl_align.runfiles.atomic import read_lines
from rl_align.runfiles.ledger import Ledger
from rl_align.runfiles.manifest import read_manifest


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
    lines += [f"  {_state(path)}" for path in sorted(records.glob("*.begun.json")) if path.name[:-11] not in done]
    lines += _steps(folder) + _checkpoints(folder)
    lines += [f"  lineage      {line}" for line in lineage_lines(lineage(folder))]
    lines += [f"  result       {folder / name}" for name in ("summary.json", "report.html") if (folder / name).exists()]
    return lines


def _age(records: Path, name: str) -> float:
    return (records / f"{name}.json").stat().st_mtime


def _state(path: Path) -> str:
    name = path.name[:-11]
    try:
        begun: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError:
        return f"interrupted  {name}"
    when = f"begun {begun.get('begun')}, attempt {begun.get('attempts')}"
    return f"{'running    ' if _alive(begun.get('pid')) else 'interrupted'}  {name} ({when})"


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


def _checkpoints(folder: Path) -> list[str]:
    sealed = [path for path in sorted((folder / "checkpoints").rglob("manifest.json")) if read_manifest(path.parent)]
    return [f"  checkpoint   {path.parent.relative_to(folder)}" for path in sealed]
