"""The description of a job, the same for every target. A YAML file (`--job`) holds it, `job.key=value` replaces single keys."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Optional

from rl_align.config import load_config
from rl_align.errors import UserError

PREFIX = "job."
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,:@+-]*")
#: Names of nodes' features and of reservations may be combined: a&b, [x*2].
_EXPRESSION = re.compile(r"[A-Za-z0-9_\[(][A-Za-z0-9_.,:@+&|*()\[\]-]*")
_TIME = re.compile(r"(\d+-)?\d+:\d\d(:\d\d)?|\d+-\d+")
_SIZE = re.compile(r"\d+[KMGT]?")
_OPTION = re.compile(r"--[a-z][a-z-]*(=[A-Za-z0-9_.,:@+&|*()\[\]%/=-]+)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Options of sbatch that the script depends on.
SET_BY_US = ("--array", "--error", "--export", "--nodes", "--ntasks-per-node", "--open-mode", "--output", "--requeue", "--signal")
#: A longer step than this between notice and limit is for the site's own settings to say.
LONGEST_NOTICE_S = 65_535


class Runtime(str, Enum):
    """What opens the container's image."""

    apptainer = "apptainer"
    pyxis = "pyxis"


class RayStart(str, Enum):
    """Who starts Ray in a SLURM job: nobody (the run starts its own on the one node), a head and workers, one srun a node, or
    `ray symmetric-run` on all nodes. The last one ends with `ray stop`, which ends every Ray of this user on a node, so it takes
    whole nodes (`exclusive`).
    """

    auto = "auto"
    none = "none"
    workers = "workers"
    symmetric = "symmetric"


@dataclass
class JobConfig:
    """What a job needs, and where it runs.

    Attributes:
        name: What the scheduler calls it; by default the run folder's name.
        folder: Where logs and records of the job go, absolute or relative to where the command is given; by default the run folder.
        command: What is run; gets the configuration's path and the settings. By default `rl-align run`.
        python: The interpreter; by default this one, in a container `python3`.
        env: Names of the environment variables that the command needs beside the usual ones (keys of endpoints, proxies), never
            values.
        setup: Lines of shell before anything is started, such as `module load cuda`.
        nodes: Machines.
        gpus_per_node: GPUs of each.
        cpus_per_node: Cores of each; 0 leaves it to the scheduler.
        memory_per_node: Memory of each, such as 64G; "0" takes all of it.
        time: Limit, as hours:minutes:seconds or days-hours.
        account, partition, qos, constraint, reservation: As the cluster calls them.
        exclusive: Take whole nodes.
        container: Image to run in; a file for Apptainer, a file or a registry's name for Pyxis.
        container_runtime: apptainer or pyxis.
        mounts: Folders to show in the container, as `/outside:/inside`, beside the working folder and the job's.
        ray: Who starts Ray: auto, none, workers or symmetric. auto is none for one node without GPUs, else workers.
        wait_s: A job whose nodes and GPUs are not all there after so long fails, and names the missing ones.
        notice_s: So long before the time limit the run is asked to finish its step, save, and end, and the job goes back into the
            queue.
        requeues: How often it may.
        options: More options of sbatch, such as `--mail-type=END`.
        address: Of the Ray cluster that jobs are submitted to, its dashboard's.
    """

    name: Optional[str] = None  # noqa: UP045 (OmegaConf reads the annotation at run time)
    folder: Optional[str] = None  # noqa: UP045
    command: list[str] = field(default_factory=list)
    python: Optional[str] = None  # noqa: UP045
    env: list[str] = field(default_factory=list)
    setup: list[str] = field(default_factory=list)
    nodes: int = 1
    gpus_per_node: int = 0
    cpus_per_node: int = 0
    memory_per_node: Optional[str] = None  # noqa: UP045
    time: Optional[str] = None  # noqa: UP045
    account: Optional[str] = None  # noqa: UP045
    partition: Optional[str] = None  # noqa: UP045
    qos: Optional[str] = None  # noqa: UP045
    constraint: Optional[str] = None  # noqa: UP045
    reservation: Optional[str] = None  # noqa: UP045
    exclusive: bool = False
    container: Optional[str] = None  # noqa: UP045
    container_runtime: Runtime = Runtime.apptainer
    mounts: list[str] = field(default_factory=list)
    ray: RayStart = RayStart.auto
    wait_s: int = 600
    notice_s: int = 120
    requeues: int = 20
    options: list[str] = field(default_factory=list)
    address: str = "http://127.0.0.1:8265"

    @property
    def ray_start(self) -> RayStart:
        """`ray` with auto decided."""
        if self.ray is not RayStart.auto:
            return self.ray
        return RayStart.workers if self.nodes > 1 or self.gpus_per_node else RayStart.none


def load_job(path: str | Path | None, settings: Sequence[str]) -> tuple[JobConfig, list[str]]:
    """The job's description, and the settings that are not about it.

    Args:
        path: YAML file; None for the defaults.
        settings: `key=value`; those that begin with `job.` are the job's.

    Raises:
        UserError: A file that cannot be read, a key that does not exist, a value that cannot work.
    """
    own = [_quoted(text.removeprefix(PREFIX)) for text in settings if text.startswith(PREFIX)]
    job = load_config(JobConfig, path, own)
    check(job)
    return job, [text for text in settings if not text.startswith(PREFIX)]


def check(job: JobConfig) -> None:
    """Raises UserError for the first value that cannot work. What reaches a line of the scheduler's is a plain word."""

    def need(ok: object, key: str, value: object, expected: str) -> None:
        if not ok:
            raise UserError(f"is {value!r}", where=f"{PREFIX}{key}", expected=expected)

    for key in ("name", "account", "partition", "qos"):
        value = getattr(job, key)
        need(value is None or _WORD.fullmatch(value), key, value, "letters, digits and _ . , : @ + -")
    for key in ("constraint", "reservation"):
        value = getattr(job, key)
        need(value is None or _EXPRESSION.fullmatch(value), key, value, "names, joined by & | , or in brackets")
    expected = '"hours:minutes:seconds" or "days-hours", in quotes in YAML'
    need(job.time is None or _TIME.fullmatch(job.time), "time", job.time, expected)
    need(job.memory_per_node is None or _SIZE.fullmatch(job.memory_per_node), "memory_per_node", job.memory_per_node, "such as 64G")
    for key, least in (("nodes", 1), ("gpus_per_node", 0), ("cpus_per_node", 0), ("wait_s", 1), ("requeues", 0)):
        need(getattr(job, key) >= least, key, getattr(job, key), f"{least} or more")
    need(30 <= job.notice_s <= LONGEST_NOTICE_S, "notice_s", job.notice_s, f"30 to {LONGEST_NOTICE_S} seconds")
    for name in job.env:
        need(_VARIABLE.fullmatch(name), "env", name, "names of environment variables, never values")
    for option in job.options:
        need(_OPTION.fullmatch(option), "options", option, "options of sbatch, such as --mail-type=END")
        need(option.partition("=")[0] not in SET_BY_US, "options", option, "none that the script sets itself")
    for key, texts in _texts(job):
        need(not any(_is_control(c) for text in texts for c in text), key, texts[0], "no control characters")
    for mount in job.mounts:
        need(re.fullmatch(r"/[^:,]*(:/[^:,]*)?", mount), "mounts", mount, "/outside:/inside, without commas")
    if job.nodes > 1 and job.ray is RayStart.none:
        raise UserError(f"is none on {job.nodes} nodes", where="job.ray", expected="workers or symmetric")
    if job.ray is RayStart.symmetric and not job.exclusive:
        what = "is symmetric on shared nodes, where `ray stop` would end your other jobs' Ray"
        raise UserError(what, where="job.ray", expected="job.exclusive=true with it, or workers")


def _texts(job: JobConfig) -> Iterable[tuple[str, list[str]]]:
    """Free texts, which the script quotes. Shell lines of the person's own may hold anything."""
    yield from ((key, [value]) for key in ("folder", "python", "container", "address") if (value := getattr(job, key)))
    yield from ((key, value) for key in ("command", "mounts") if (value := getattr(job, key)))


def _is_control(character: str) -> bool:
    return ord(character) < 32 or ord(character) == 127


def _quoted(text: str) -> str:
    """YAML would read `time=12:00:00` as a number and `account=0123` as an octal one; what is a text stays as it was typed."""
    key, equals, value = text.partition("=")
    kinds = {f.name: str(f.type) for f in dataclasses.fields(JobConfig)}
    plain = value and value != "null" and value[0] not in "\"'"
    return f"{key}={json.dumps(value)}" if equals and plain and kinds.get(key) in ("str", "Optional[str]") else text
