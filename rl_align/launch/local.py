"""This machine: the command runs here, in the foreground, with the records that every target keeps."""

from __future__ import annotations

import os
import shlex
import signal
from pathlib import Path

from rl_align.errors import UserError
from rl_align.launch import attempt, record
from rl_align.launch.plan import Plan
from rl_align.launch.secrets import missing


def render(plan: Plan) -> str:
    """The command, as one would type it."""
    return f"cd {shlex.quote(str(plan.work))}\n{shlex.join(plan.argv)}\n"


def run(plan: Plan) -> int:
    """Runs it to its end. Returns its exit code. Raises UserError for what this target has not."""
    job = plan.job
    if job.nodes > 1 or job.container or job.setup:
        key = "nodes" if job.nodes > 1 else "container" if job.container else "setup"
        raise UserError("is not for the target local", where=f"job.{key}", fix="leave it out, or use slurm")
    if unset := missing(job.env, os.environ):
        raise UserError(f"{', '.join(unset)} is not set", where="job.env", fix="set it, or leave it out")
    record.write(record.Submitted("local", f"{os.getpid()}-{_started(os.getpid())}", str(plan.folder)))
    return attempt.run(plan.argv, plan.folder)


def state(job_id: str) -> str:
    """Whether the process is still there."""
    return "running" if _alive(job_id) else "ended"


def cancel(job_id: str) -> None:
    """Asks it to end: a run in training saves its step first. Raises UserError when it has ended."""
    if not _alive(job_id):
        raise UserError("has ended already", where=f"process {job_id.partition('-')[0]}")
    os.kill(int(job_id.partition("-")[0]), signal.SIGTERM)


def _alive(job_id: str) -> bool:
    pid, _, started = job_id.partition("-")
    return pid.isdigit() and _started(int(pid)) == started


def _started(pid: int) -> str | None:
    """When a process began, in the kernel's ticks: process ids are used again, a pair of both is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None
