"""A real Ray cluster on this machine, with job submission: submitted, a worker killed, stopped, cancelled, continued.

The last test is the smoke run on the engine.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT
from launching import Job

from rl_align.runfiles.ledger import Ledger

pytestmark = pytest.mark.slow
LIMIT_S = 300.0


@dataclass
class Cluster:
    """A running cluster: its address for jobs, and what a client's environment needs to be let in."""

    address: str
    environment: dict[str, str]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Ray with two logical CPUs on ports of its own; ended by its process id, never by `ray stop`."""
    folder = Path(tempfile.mkdtemp(prefix="rj", dir="/tmp"))  # short: it holds sockets
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}
    jobs, agent, client = _free_ports(3)
    options = [
        "--head", "--block", "--port=0", "--num-cpus=2", "--object-store-memory=100000000", "--disable-usage-stats",
        "--include-dashboard=true", f"--dashboard-port={jobs}", f"--dashboard-agent-listen-port={agent}",
        f"--ray-client-server-port={client}", f"--temp-dir={folder / 'r'}",
        "--worker-port-list=" + ",".join(map(str, _free_ports(40))),
    ]  # fmt: skip
    namespace = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*namespace, "true"], capture_output=True).returncode != 0:
        namespace = []
    command = [*namespace, sys.executable, "-m", "ray.scripts.scripts", "start", *options]
    variables = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(jobs, process, folder / "log")
        yield Cluster(f"http://127.0.0.1:{jobs}", environment)
    finally:
        process.send_signal(signal.SIGKILL if namespace else signal.SIGTERM)  # a namespace takes everything along
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports


def _wait_for(port: int, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.2)


@pytest.fixture
def job(cluster, tmp_path) -> Job:
    return Job(tmp_path, "ray", [f"job.address={cluster.address}"], dict(cluster.environment))


def succeeded(job: Job, number: int) -> None:
    """Waits for the end of an attempt, then for the cluster to say so."""
    job.until(lambda: job.result(number), LIMIT_S)
    job.until(lambda: ": succeeded" in job.ask("status"), LIMIT_S)


def test_a_job_runs_and_is_read_back(job, tmp_path):
    job.launch()
    succeeded(job, 1)
    assert "attempt-1: done" in job.ask("status") and "step 6" in job.ask("logs")
    job.assert_as_if_never_stopped(tmp_path / "whole", steps=6)


def test_a_worker_that_is_killed_is_one_message_and_the_same_command_continues(job, tmp_path):
    job.launch("actor=true", "hold_at=4", "save_every=2")
    job.until(lambda: job.steps() == 3, LIMIT_S)
    killed = time.monotonic()
    os.kill(_seen_from_here(json.loads((job.folder / "actor.json").read_text())["pid"]), signal.SIGKILL)
    job.until(lambda: job.result(1), LIMIT_S)
    assert time.monotonic() - killed < 60
    assert job.result(1)["code"] == 1
    assert job.ask("logs").splitlines()[-1].startswith("stage train failed: ActorDiedError: The actor died unexpectedly")
    assert ": failed" in job.ask("status")
    job.launch("actor=true", "save_every=2")
    succeeded(job, 2)
    job.assert_as_if_never_stopped(tmp_path / "whole", steps=6, redone=1)


def test_it_is_stopped_after_its_step_and_cancelled(job, tmp_path):
    job.launch("hold_at=3")
    job.until(lambda: job.steps() == 2, LIMIT_S)
    job.ask("cancel", "--after-step")
    job.until(lambda: job.result(1), LIMIT_S)
    assert job.result(1)["code"] == 75
    job.launch("hold_at=5")
    job.until(lambda: job.steps() == 4, LIMIT_S)
    assert "is told to end" in job.ask("cancel")
    job.until(lambda: ": stopped" in job.ask("status"), LIMIT_S)
    job.launch()
    succeeded(job, 3)
    job.assert_as_if_never_stopped(tmp_path / "whole", steps=6)


def test_nodes_that_the_cluster_has_not_are_named(job):
    job.launch("job.nodes=2", "job.wait_s=1")
    job.until(lambda: job.result(1), LIMIT_S)
    job.until(lambda: ": failed" in job.ask("status"), LIMIT_S)
    assert "missing after 1 s: 2 nodes of 0 GPUs; there are" in job.ask("logs")


def test_another_job_of_the_same_folder_gets_another_name(job):
    job.launch()
    first = job.id
    job.launch()
    assert job.id != first
    succeeded(job, 2)


def _seen_from_here(pid: int) -> int:
    """The process id, in this namespace, of Ray's actor that has this one in its own."""
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            status, words = path.read_text(), path.with_name("cmdline").read_bytes()
        except OSError:
            continue
        ids = next(line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
        if ids[-1] == str(pid) and words.startswith(b"ray::Counter"):
            return int(ids[0])
    raise AssertionError(f"no actor of Ray's is process {pid}")


@pytest.mark.engine
def test_the_smoke_run_with_a_worker_killed_while_it_trains(cluster, tmp_path):
    """The process that trains is killed in the middle of GRPO: one message within a minute, and the same command continues."""
    job = Job(tmp_path, "ray", environment=dict(cluster.environment))
    config = ROOT / "experiments" / "pictograms" / "smoke.yaml"
    settings = ["seats=[responder]", "grpo.save_every=1", f"folder={json.dumps(str(job.folder))}"]
    launch = ["launch", "ray", str(config), *settings, f"job.address={cluster.address}"]

    def steps() -> int:
        return len(Ledger(job.folder / "ledger.jsonl").clean("grpo"))

    done = job.run(*launch)
    assert done.returncode == 0, done.stderr
    job.until(lambda: steps() >= 1 or job.result(1), 900)
    assert job.result(1) is None, job.everything()
    killed = time.monotonic()
    os.kill(_trainer_of(job.folder), signal.SIGKILL)
    job.until(lambda: job.result(1), 120)
    assert time.monotonic() - killed < 60
    assert job.result(1)["code"] == 1
    assert job.ask("logs").splitlines()[-1].startswith("rl-align: error: GRPO: the engine failed: ")
    done = job.run(*launch)
    assert done.returncode == 0, done.stderr
    job.until(lambda: job.result(2), 900)
    assert job.result(2)["code"] == 0, job.everything()
    assert (job.folder / "summary.json").is_file() and (job.folder / "report.html").is_file()


def _trainer_of(folder: Path) -> int:
    """The process of Ray's that runs verl's trainer for this run: it holds the run's progress file open."""
    progress = str(folder / "logs" / "grpo.progress")
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            opened = {os.readlink(link) for link in (path.parent / "fd").iterdir()}
            if path.read_bytes().startswith(b"ray::TaskRunner") and progress in opened:
                return int(path.parent.name)
        except OSError:
            continue
    raise AssertionError(f"no trainer writes {progress}")
