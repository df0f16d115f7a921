"""SLURM: the job's script, and sbatch, squeue and scancel."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import jinja2

from rl_align.errors import UserError
from rl_align.launch import record
from rl_align.launch.config import Runtime
from rl_align.launch.plan import Plan
from rl_align.launch.secrets import USUAL, missing, refuse_secrets
from rl_align.runfiles import stop
from rl_align.runfiles.atomic import write_text

TEMPLATES = Path(__file__).parent / "templates"
#: What `state` says of a job that SLURM has forgotten, or was not asked about well.
UNKNOWN = "no longer known to SLURM"
#: Inside the job's folder.
SCRIPT = "job.sh"
#: sbatch reads quotes, backslashes and % in the paths of its own lines.
_UNQUOTABLE = re.compile(r"[\"'\\%#]")


def render(plan: Plan) -> str:
    """The script that sbatch gets.

    Raises:
        UserError: A path that sbatch cannot be told.
    """
    job = plan.job
    log = plan.folder / "logs" / "slurm-%j.log"
    if _UNQUOTABLE.search(str(plan.folder)):
        what = "has quotes, a backslash, % or #"
        raise UserError(what, where=f"the folder {plan.folder}", expected="a path that sbatch can be told")
    wanted = {
        "cpus-per-task": job.cpus_per_node,
        "gpus-per-node": job.gpus_per_node,
        "mem": job.memory_per_node,
        "time": job.time,
        "account": job.account,
        "partition": job.partition,
        "qos": job.qos,
        "constraint": job.constraint,
        "reservation": job.reservation,
    }
    options = [f"--{name}={value}" for name, value in wanted.items() if value]
    options += ["--exclusive"] if job.exclusive else []
    inside, container = _container(plan)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    environment.filters["q"] = shlex.quote
    return environment.get_template("slurm.sh.j2").render(
        name=plan.name,
        job=job,
        log=str(log),
        options=[*options, *job.options],
        names=[*(name for name in USUAL if os.environ.get(name) and name not in job.env), *job.env],
        folder=str(plan.folder),
        work=str(plan.work),
        python=plan.python,
        argv=plan.argv,
        inside=inside,
        container=container,
        bin=None if job.container else os.path.dirname(sys.executable),
        ray=job.ray_start.value,
        again=stop.AGAIN,
    )


def submit(plan: Plan) -> record.Submitted:
    """Writes the script into the job's folder and hands it to sbatch.

    Raises:
        UserError: There is no sbatch, it refuses the job (with its own words), or a named variable is not set.
    """
    program = _program("sbatch")
    if unset := missing(plan.job.env, os.environ):
        raise UserError(f"{', '.join(unset)} is not set", where="job.env", fix="set it, or leave it out")
    script = render(plan)
    refuse_secrets([script], os.environ)
    (plan.folder / "logs").mkdir(parents=True, exist_ok=True)
    write_text(plan.folder / SCRIPT, script)
    done = _run([program, "--parsable", str(plan.folder / SCRIPT)])
    if done.returncode != 0:
        raise UserError(f"sbatch refuses the job: {_said(done)}", where=str(plan.folder / SCRIPT))
    submitted = record.Submitted("slurm", done.stdout.strip().partition(";")[0], str(plan.folder))
    record.write(submitted)
    return submitted


def state(job_id: str) -> str:
    """What SLURM says of a job, on one line."""
    done = _run([_program("squeue"), "--noheader", f"--jobs={job_id}", "--states=all", "--format=%T|%M|%N|%r"])
    if done.returncode != 0 or not done.stdout.strip():
        return UNKNOWN
    name, ran, nodes, why = done.stdout.strip().splitlines()[0].split("|")
    on = f" on {nodes}" if nodes else ""
    reason = f" ({why})" if why not in ("None", "") else ""
    return f"{name.lower()}{on}, ran {ran}{reason}"


def cancel(job_id: str) -> None:
    """Ends a job. Raises UserError in scancel's words."""
    done = _run([_program("scancel"), job_id])
    if done.returncode != 0:
        raise UserError(_said(done), where=f"job {job_id}")


def _container(plan: Plan) -> tuple[list[str], list[str]]:
    """(words before a command, options of srun) that make it run in the container, with the folders it needs."""
    job = plan.job
    if job.container is None:
        return [], []
    shown = list(dict.fromkeys([*job.mounts, str(plan.work), str(plan.folder)]))
    if any(re.search(r"[,:]", str(path)) for path in (plan.work, plan.folder)):
        raise UserError("has a comma or a colon", where=f"the folder {plan.folder}", expected="a path that can be mounted")
    if job.container_runtime is Runtime.apptainer:
        gpus = ["--nv"] if job.gpus_per_node else []
        binds = [word for path in shown for word in ("--bind", path)]
        return ["apptainer", "exec", *gpus, *binds, "--pwd", str(plan.work), job.container], []
    mounts = ",".join(path if ":" in path else f"{path}:{path}" for path in shown)
    return [], [f"--container-image={job.container}", f"--container-mounts={mounts}", f"--container-workdir={plan.work}"]


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise UserError(f"there is no {name} here", fix="run this on a login node of the cluster, or use `rl-align launch local`")
    return found


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """What a program of SLURM's complained of, on one line, without its prefixes."""
    lines: Sequence[str] = [re.sub(r"^\w+: (error|fatal): ", "", line).strip() for line in done.stderr.splitlines() if line.strip()]
    return "; ".join(dict.fromkeys(lines)) or f"exit code {done.returncode}"
