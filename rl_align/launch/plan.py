"""What is to be run, and where its records go: a configuration, its settings and a job's description put together."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rl_align.config import load_config
from rl_align.errors import UserError
from rl_align.launch.config import JobConfig, load_job
from rl_align.launch.secrets import refuse_secrets

CONTAINER_PYTHON = "python3"


@dataclass(frozen=True)
class Plan:
    """A job, ready to be handed to a target.

    Attributes:
        job: Its description.
        argv: The command, as words.
        folder: Where logs and records go, absolute; the request to stop is left there, too.
        work: The folder that the command runs in, absolute.
        name: What a scheduler calls it.
    """

    job: JobConfig
    argv: tuple[str, ...]
    folder: Path
    work: Path
    name: str

    @property
    def python(self) -> str:
        """The interpreter, where the command runs."""
        return self.job.python or (CONTAINER_PYTHON if self.job.container else sys.executable)


def make(config_path: str | Path, settings: Sequence[str], job_path: str | Path | None = None) -> Plan:
    """Reads and checks everything that can be checked before a job waits in a queue.

    Args:
        config_path: YAML file of the experiment.
        settings: `key=value`, of the experiment and of the job (`job.key=value`).
        job_path: YAML file of the job.

    Raises:
        UserError: A setting that cannot work, or one that spells a secret.
    """
    job, own = load_job(job_path, settings)
    python = job.python or (CONTAINER_PYTHON if job.container else sys.executable)
    if job.command:
        if job.folder is None:
            raise UserError("no value", where="job.folder", fix="say where logs go; only an experiment's folder is known")
        command, folder = job.command, job.folder
    else:
        command, folder = [python, "-m", "rl_align.cli", "run"], job.folder or _run_folder(config_path, own, job)
    argv = (*command, str(config_path), *own)
    refuse_secrets(argv, os.environ)
    refuse_secrets((*job.setup, *job.options, *job.mounts, job.container or ""), os.environ)
    absolute = Path(os.path.abspath(folder))
    if any(ord(character) < 32 for character in str(absolute)):
        raise UserError("has control characters", where=f"the folder {str(absolute)!r}", expected="a path of one line")
    name = job.name or re.sub(r"[^A-Za-z0-9_.-]+", "-", absolute.name).strip("-.") or "rl_align"
    return Plan(job, argv, absolute, Path.cwd(), name)


def _run_folder(config_path: str | Path, settings: Sequence[str], job: JobConfig) -> str:
    from rl_align.engine.config import Platform
    from rl_align.pipeline.config import RunConfig, resolve

    config = load_config(RunConfig, config_path, settings)
    if job.container is None:  # what paths lead to in a container is not known here
        resolve(config)
    engine = config.engine
    if engine.platform is Platform.cuda:
        for key, has, needs in (
            ("nodes", job.nodes, engine.nodes),
            ("gpus_per_node", job.gpus_per_node, engine.devices_per_node),
        ):
            if has != needs:
                raise UserError(f"is {has}", where=f"job.{key}", expected=f"{needs}, which the engine of {config_path} uses")
    elif job.nodes > 1:
        raise UserError(f"is {job.nodes}", where="job.nodes", expected="1: on CPUs the engine uses one machine")
    return config.folder
