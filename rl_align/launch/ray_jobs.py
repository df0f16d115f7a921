"""Ray's job submission, to a cluster that is there: it sees the same files, as SLURM's nodes do."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rl_align.errors import UserError
from rl_align.launch import record
from rl_align.launch.plan import Plan
from rl_align.launch.secrets import refuse_secrets

#: Ray's words in the first seconds of a cluster, and how long they are believed.
NO_AGENT, PATIENCE_S = "No available agent to submit job", 60.0


def entrypoint(plan: Plan) -> str:
    """What the cluster runs, as one line of shell: waits for nodes and GPUs where more than one node or any GPU is asked for."""
    job = plan.job
    wait = ["--count", str(job.nodes), "--gpus", str(job.gpus_per_node), "--wait", str(job.wait_s)]
    ready = [plan.python, "-m", "rl_align.launch.ready", *wait, "--"] if job.nodes > 1 or job.gpus_per_node else []
    env = ["--env", ",".join(job.env)] if job.env else []
    words = [plan.python, "-m", "rl_align.launch.attempt", str(plan.folder), *env, "--", *ready, *plan.argv]
    return f"cd {shlex.quote(str(plan.work))} && {shlex.join(words)}"


def submit(plan: Plan) -> record.Submitted:
    """Hands the job to the cluster.

    Raises:
        UserError: No cluster answers, it refuses the job, or something is asked for that this target has not.
    """
    job = plan.job
    if job.container or job.setup:
        key = "container" if job.container else "setup"
        raise UserError("is not for the target ray", where=f"job.{key}", fix="start the cluster in it")
    command = entrypoint(plan)
    refuse_secrets([command], os.environ)
    number = len(record.attempts(plan.folder)) + 1
    with _client(job.address) as client:
        taken = {found.submission_id for found in client.list_jobs()}
        name = next(f"{plan.name}-{n}" for n in range(number, number + len(taken) + 1) if f"{plan.name}-{n}" not in taken)
        deadline = time.monotonic() + PATIENCE_S
        while not _took(client, name, command, plan.folder):
            if time.monotonic() > deadline:
                raise UserError(f"has no agent for jobs after {PATIENCE_S:.0f} s", where=f"the cluster at {job.address}")
            time.sleep(1)
    submitted = record.Submitted("ray", name, str(plan.folder), job.address)
    record.write(submitted)
    return submitted


def state(job_id: str, address: str) -> str:
    """What the cluster says of a job, on one line."""
    with _client(address) as client:
        found = client.get_job_info(job_id)
    said = f" ({lines[-1]})" if (lines := (found.message or "").strip().splitlines()) else ""
    return f"{found.status.value.lower()}{said[:300]}"


def cancel(job_id: str, address: str) -> None:
    """Ends a job."""
    with _client(address) as client:
        if not client.stop_job(job_id):
            raise UserError("has ended already", where=f"job {job_id}")


def _took(client: Any, name: str, command: str, folder: Path) -> bool:
    """Whether the cluster took the job; not yet when it has only just started."""
    try:
        client.submit_job(entrypoint=command, submission_id=name, metadata={"folder": str(folder)})
    except RuntimeError as error:
        if NO_AGENT in str(error):
            return False
        raise
    return True


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """A client of the cluster; what Ray raises becomes one line."""
    from ray.job_submission import JobSubmissionClient

    try:
        yield JobSubmissionClient(address)
    except ConnectionError as error:
        fix = "start one with `ray start --head`, or name it as job.address=http://HOST:8265"
        raise UserError("no Ray cluster answers", where=address, fix=fix) from error
    except RuntimeError as error:  # Ray's own word for any answer but a good one
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise UserError(f"the cluster says: {lines[-1][:300]}", where=address) from error
