"""This machine: the command runs here, with the records that every target keeps."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from pathlib import Path

from rl_align.errors import UserError
from rl_align.launch import attempt, record
from rl_align.launch.plan import Plan
from rl_align.launch.secrets import missing

#: Inside the job's `logs`: why an attempt did not come about.
LOG = "local.log"


def render(plan: Plan) -> str:
    """The command, as one would type it."""
    return f"cd {shlex.quote(str(plan.work))}\n{shlex.join(plan.argv)}\n"


def run(plan: Plan) -> int:
    """Runs it to its end. Returns its exit code. Raises UserError for what this target has not."""
    _check(plan)
    record.write(_submitted(plan, os.getpid()))
    return attempt.run(plan.argv, plan.folder)


def start(plan: Plan) -> tuple[subprocess.Popen, record.Submitted]:
    """Starts it beside this process, with which it ends: its run is told to, and finishes its step.

    Returns:
        The process of the attempt, whose exit code is the command's, and what was noted of it.

    Raises:
        UserError: For what this target has not.
    """
    _check(plan)
    (plan.folder / "logs").mkdir(parents=True, exist_ok=True)
    command = [plan.python, "-m", "rl_align.launch.attempt", str(plan.folder), "--", *plan.argv]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}  # what the command prints is in the attempt's log
    with open(plan.folder / "logs" / LOG, "ab") as output:
        process = subprocess.Popen(command, cwd=plan.work, **quiet, stderr=output, preexec_fn=attempt.die_with_parent)
    submitted = _submitted(plan, process.pid)
    record.write(submitted)
    return process, submitted


def _submitted(plan: Plan, pid: int) -> record.Submitted:
    return record.Submitted("local", f"{pid}-{_started(pid)}", str(plan.folder))


def _check(plan: Plan) -> None:
    job = plan.job
    if job.nodes > 1 or job.container or job.setup:
        key = "nodes" if job.nodes > 1 else "container" if job.container else "setup"
        raise UserError("is not for the target local", where=f"job.{key}", fix="leave it out, or use slurm")
    if unset := missing(job.env, os.environ):
        raise UserError(f"{', '.join(unset)} is not set", where="job.env", fix="set it, or leave it out")


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
    """When a process began, in the kernel's ticks: process ids are used again, a pair of both is not. None when it has ended, also
    where nobody has asked how yet (a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
