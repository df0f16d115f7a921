"""What the job's folder says of it: `job.json`, written when it is submitted, and one folder an attempt under `logs/`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rl_align.errors import UserError
from rl_align.pipeline.stages import seconds
from rl_align.runfiles.atomic import write_json

#: In the job's folder.
JOB = "job.json"
#: In an attempt's folder: what the command printed; how the attempt ended.
LOG, RESULT = "command.log", "result.json"
_ATTEMPT = re.compile(r"attempt-(\d+)")


@dataclass(frozen=True)
class Submitted:
    """One submission.

    Attributes:
        target: local, ray or slurm.
        id: What the target calls the job: a process id, a submission id, a job id.
        folder: The job's folder, absolute.
        address: Of the Ray cluster, where there is one.
        time: When it was submitted, ISO 8601 in UTC.
    """

    target: str
    id: str
    folder: str
    address: str | None = None
    time: str = ""


def write(job: Submitted) -> None:
    """Note a submission, in place of the one before it."""
    write_json(Path(job.folder) / JOB, {**asdict(job), "time": now()})


def read(folder: Path) -> Submitted | None:
    """The last submission of a folder; None when there was none. Raises UserError when its record is damaged."""
    path = folder / JOB
    if not path.is_file():
        return None
    try:
        return Submitted(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise UserError("the record of the job is damaged", where=str(path), fix="remove it, and name the job by its id") from error


def attempts(folder: Path) -> list[Path]:
    """Folders of the attempts, in the order of their numbers."""
    found = [(int(match[1]), path) for path in (folder / "logs").glob("attempt-*") if (match := _ATTEMPT.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def new_attempt(folder: Path) -> Path:
    """Makes the next attempt's folder; two that begin at once get two."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    number = len(attempts(folder)) + 1
    while True:
        path = folder / "logs" / f"attempt-{number}"
        try:
            path.mkdir()
            return path
        except FileExistsError:
            number += 1


def finish(attempt: Path, code: int, reason: str, begun: float, ended: float, where: str) -> None:
    """Note how an attempt ended; times are Unix times, `where` names its nodes."""
    write_json(attempt / RESULT, {"code": code, "reason": reason, "begun": int(begun), "ended": int(ended), "nodes": where})


def described(attempt: Path) -> str:
    """One line: how an attempt ended, or that it has not said so."""
    try:
        found: dict[str, Any] = json.loads((attempt / RESULT).read_bytes())
        took = seconds(float(found["ended"]) - float(found["begun"]))
        return f"{attempt.name}: {found['reason']} after {took}, exit code {found['code']}, on {found['nodes']}"
    except FileNotFoundError:
        return f"{attempt.name}: has not said how it ended; it runs, or was killed"
    except (OSError, ValueError, TypeError, KeyError):
        return f"{attempt.name}: its {RESULT} is damaged"


def now() -> str:
    """The time, ISO 8601 in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
