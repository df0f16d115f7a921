"""`rl-align launch`: hand a run to a target, and ask after it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from rl_align.errors import UserError
from rl_align.launch import local, plan, ray_jobs, record, slurm
from rl_align.runfiles import stop

TARGETS = ("local", "ray", "slurm")
#: Target → first words of what `state` says of a job that has ended. A job that SLURM puts back into its queue is pending.
OVER = {
    "local": {"ended"},
    "ray": {"succeeded", "failed", "stopped"},
    "slurm": {
        "completed", "failed", "cancelled", "timeout", "node_fail", "out_of_memory", "deadline", "boot_fail", "preempted",
        "revoked", "no",  # longer known
    },
}  # fmt: skip


def launch(target: str, config_path: str, settings: Sequence[str], job_path: str | None = None, *, dry_run: bool = False) -> int:
    """Runs a configuration here, on a Ray cluster or on a SLURM cluster.

    Args:
        target: local, ray or slurm.
        config_path: YAML file of the experiment.
        settings: `key=value`; those that begin with `job.` describe the job.
        job_path: YAML file of the job's description.
        dry_run: Print the script, and start nothing.

    Returns:
        The exit code; of a run here, its own.

    Raises:
        UserError: A description that cannot work, or a target that is not there or says no.
    """
    made = plan.make(config_path, settings, job_path)
    render: dict[str, Callable[[plan.Plan], str]] = {
        "local": local.render,
        "ray": lambda made: ray_jobs.entrypoint(made) + "\n",
        "slurm": slurm.render,
    }
    if dry_run:
        print(render[target](made), end="")
        return 0
    if target == "local":
        return local.run(made)
    submitted = submit(target, made)
    print(f"{target} job {submitted.id}; records in {submitted.folder}")
    print(f"rl-align launch status {submitted.folder}")
    return 0


def status(what: str) -> list[str]:
    """Where a job stands, and how its attempts ended.

    Args:
        what: A run folder, or the id of a job.
    """
    found = _find(what)
    lines = [f"{found.target} job {found.id}: {state(found)}"]
    if found.folder:
        lines += [f"  {record.described(attempt)}" for attempt in record.attempts(Path(found.folder))]
        lines.append(f"  folder {found.folder}")
    return lines


def state(job: record.Submitted) -> str:
    """What the target says of a job, on one line."""
    if job.target == "local":
        return local.state(job.id)
    return slurm.state(job.id) if job.target == "slurm" else ray_jobs.state(job.id, job.address or "")


def is_over(said: str, target: str) -> bool:
    """Whether a job in this state has ended; `said` is what `state` returned."""
    return said.split()[0] in OVER[target]


def submit(target: str, made: plan.Plan) -> record.Submitted:
    """Hands a job to a cluster: `slurm` or `ray`."""
    return slurm.submit(made) if target == "slurm" else ray_jobs.submit(made)


def logs(what: str, number: int | None = None, count: int = 50) -> list[str]:
    """The last lines that an attempt's command printed.

    Args:
        what: A run folder, or the id of a job.
        number: Of the attempt; None for the last one.
        count: Lines at most.

    Raises:
        UserError: There is no such attempt, or the job's folder is not known.
    """
    found = _find(what)
    if not found.folder:
        raise UserError("only its id is known", where=what, fix="name the run folder instead")
    attempts = record.attempts(Path(found.folder))
    scheduler = sorted((Path(found.folder) / "logs").glob("slurm-*.log"), key=lambda path: path.stat().st_mtime)
    if not attempts and number is None and scheduler:  # it failed before it began
        return _tail(scheduler[-1], count)
    chosen = [path for path in attempts if number is None or path.name == f"attempt-{number}"]
    if not chosen:
        known = ", ".join(path.name for path in attempts) or "none yet"
        raise UserError("no such attempt" if attempts else "no attempt yet", where=found.folder, expected=f"one of: {known}")
    return _tail(chosen[-1] / record.LOG, count)


def _tail(log: Path, count: int) -> list[str]:
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    return [f"{log}:", *text.splitlines()[-count:]]


def cancel(what: str, *, after_step: bool = False) -> str:
    """Ends a job, at once or after the step that its run is in.

    Args:
        what: A run folder, or the id of a job.
        after_step: Leave a request that training looks at after every step; it saves a checkpoint and ends.

    Returns:
        What was done, in one line.
    """
    found = _find(what)
    if after_step:
        if not found.folder:
            raise UserError("only its id is known", where=what, fix="name the run folder instead")
        stop.request(Path(found.folder), "asked by rl-align launch cancel")
        return f"{found.target} job {found.id} is asked to end after its step"
    if found.target == "slurm":
        slurm.cancel(found.id)
    elif found.target == "ray":
        ray_jobs.cancel(found.id, found.address or "")
    else:
        local.cancel(found.id)
    return f"{found.target} job {found.id} is told to end"


def _find(what: str) -> record.Submitted:
    """The submission that a folder or an id names."""
    folder = Path(what)
    if folder.is_dir():
        found = record.read(folder)
        if found is None:
            raise UserError("nothing was launched from here", where=what, expected="a folder with job.json, or the id of a job")
        return found
    if what.isdigit():
        return record.Submitted("slurm", what, "")
    address = os.environ.get("RAY_API_SERVER_ADDRESS")
    if os.sep in what or not address:
        fix = "for a job of Ray's, set RAY_API_SERVER_ADDRESS to the address of its cluster"
        raise UserError("no such folder, and not the id of a SLURM job", where=what, fix=fix)
    return record.Submitted("ray", what, "", address)
