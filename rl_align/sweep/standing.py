"""Where a trial stands, by what its run folder holds: nothing else is remembered, so a sweep that was killed knows all of it."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from rl_align.data.untrusted import shown
from rl_align.launch import local, record
from rl_align.pipeline.queue import DONE, finished
from rl_align.pipeline.stages import RECORDS
from rl_align.runfiles import stop
from rl_align.runfiles.atomic import write_json

#: In a trial's folder: what it was started with, and that it failed and why.
TRIAL, FAILED = "trial.json", "failed.json"
#: Exit codes of a run that somebody or something ended, and that the same command continues.
ENDED = (stop.AGAIN, *(128 + number for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)))
#: What a target says of a job that failed, where no attempt says so itself.
_FAILED = ("failed", "out_of_memory", "boot_fail")
#: How much of a log is read for a cause.
_TAIL_BYTES = 8192
_MOST = 300


class Standing(str, Enum):
    """waiting: not begun. interrupted: begun, and neither done nor failed. stopped: by successive halving, for good."""

    waiting = "waiting"
    running = "running"
    done = "done"
    stopped = "stopped"
    interrupted = "interrupted"
    failed = "failed"


def standing(folder: Path, wanted: str) -> Standing:
    """Where a trial stands that is not running; `wanted` is the hash of what it should be made with."""
    if finished(folder, wanted):
        return Standing.done
    if (note := read_failure(folder)) and note.get("hash") == wanted:
        return Standing.failed
    begun = (folder / RECORDS).is_dir() or bool(record.attempts(folder))
    return Standing.interrupted if begun else Standing.waiting


def begin(folder: Path, made_with: str, settings: Sequence[str]) -> None:
    """Notes what a trial is started with: its hash, and `key=value` for people."""
    write_json(folder / TRIAL, {"hash": made_with, "settings": list(settings)})


def settle(folder: Path, code: int | None, said: str = "") -> None:
    """Notes how a trial's last attempt ended, under the hash of what it was started with.

    Args:
        folder: Its run folder.
        code: The attempt's exit code; None when it did not say so.
        said: What the target says of the job, for one that failed before it began.
    """
    made_with = (_read(folder / TRIAL) or {}).get("hash")
    if code == 0 and (folder / "summary.json").is_file():
        write_json(folder / DONE, {"hash": made_with})
        (folder / FAILED).unlink(missing_ok=True)
        return
    failed = said.startswith(_FAILED) if code is None else not (code < 0 or code in ENDED)
    if failed:
        write_json(folder / FAILED, {"hash": made_with, "code": code, "cause": cause(folder, code, said)})


def forgive(folder: Path) -> None:
    """Lets a failed trial run again."""
    (folder / FAILED).unlink(missing_ok=True)


def read_failure(folder: Path) -> dict[str, Any] | None:
    """Why a trial failed; None when it has not, or the note is damaged: then it runs again."""
    return _read(folder / FAILED)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def last_code(folder: Path) -> int | None:
    """Exit code of the last attempt; None when it has not said how it ended."""
    attempts = record.attempts(folder)
    try:
        return int(json.loads((attempts[-1] / record.RESULT).read_bytes())["code"])
    except (IndexError, OSError, ValueError, TypeError, KeyError):
        return None


def cause(folder: Path, code: int | None, said: str = "") -> str:
    """Why an attempt failed, on one line: the last thing that it said, else what its target says."""
    if code == 0:
        return "it ended well and left no summary.json"
    attempts = record.attempts(folder)
    logs = [attempts[-1] / record.LOG] if attempts else []
    logs += [folder / "logs" / local.LOG, *sorted((folder / "logs").glob("slurm-*.log"))[-1:]]
    ended = f"exit code {code}" if code is not None else said
    for log in logs:
        if line := _last_line(log):
            return f"{ended}: {shown(line, _MOST)}"
    return ended or "it said nothing"


def _last_line(path: Path) -> str | None:
    try:
        with open(path, "rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines()]
    except OSError:
        return None
    return next((line for line in reversed(lines) if line), None)
