"""A real SLURM on this machine: submitted, warned, requeued, preempted, cancelled, a node that fails; two node daemons.

`tests/slurm/one_node.sh` sets it up in a folder and takes it down. The runs are stand-ins that go through the project's own stages,
ledger and checkpoints; the last test is the smoke run on the engine.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from launching import Job
from sweeping import Bench

from rl_align.launch.slurm import state
from rl_align.runfiles.ledger import Ledger

pytestmark = pytest.mark.slurm
SCRIPT = str(ROOT / "tests" / "slurm" / "one_node.sh")
PLANTED = "sk-planted-0123456789abcdef"
#: SLURM schedules every second here, and gives a signalled job half a minute.
LIMIT_S = 300.0


@pytest.fixture(scope="session")
def slurm() -> Iterator[Path]:
    """A running SLURM with nodes n1 and n2; its folder."""
    if not shutil.which("slurmctld") or not shutil.which("munged"):
        if os.geteuid() != 0:
            pytest.skip("slurm-wlm and munge are not installed, and installing them needs root")
        done = subprocess.run([SCRIPT, "install"], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"slurm-wlm and munge cannot be installed: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}")
    folder = Path(tempfile.mkdtemp(prefix="sl", dir="/tmp"))  # short: it holds sockets
    try:
        subprocess.run([SCRIPT, "start", str(folder), "2"], check=True)
        yield folder
    finally:
        subprocess.run([SCRIPT, "stop", str(folder)], check=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def job(slurm, tmp_path, monkeypatch) -> Job:
    monkeypatch.setenv("SLURM_CONF", str(slurm / "slurm.conf"))
    return Job(tmp_path, "slurm", ["job.cpus_per_node=1", "job.time=10:00"])


def scontrol(*arguments: str) -> None:
    subprocess.run(["scontrol", *arguments], check=True, capture_output=True)


def sends(job: Job, name: str) -> None:
    """What SLURM sends when the time is nearly over: to the batch script alone."""
    subprocess.run(["scancel", "--batch", f"--signal={name}", job.id], check=True)


def starts_again(job: Job) -> None:
    """A requeued job waits for a while; a person may tell it not to."""
    job.until(lambda: state(job.id).startswith("pending"), LIMIT_S)
    scontrol("update", f"jobid={job.id}", "StartTime=now")


def ended(job: Job) -> str:
    """Waits until SLURM has done with the job; its state."""
    words = ("completed", "failed", "cancelled", "timeout")
    job.until(lambda: state(job.id).startswith(words), LIMIT_S)
    return state(job.id).partition(" ")[0]


def test_warned_before_the_limit_it_saves_its_step_and_continues(job, tmp_path):
    """SLURM itself warns: the limit is a minute away, the notice comes at once."""
    job.launch("hold_at=3", "job.time=01:00", "job.notice_s=60", "job.requeues=1")
    job.until(lambda: job.result(1), LIMIT_S)
    assert job.result(1)["code"] == 75 and job.result(1)["reason"] == "stopped, as asked", job.everything()
    assert job.steps() in (1, 2, 3)
    starts_again(job)
    assert ended(job) == "completed", job.everything()
    job.assert_as_if_never_stopped(tmp_path / "whole", steps=6)
    status = job.ask("status")
    assert "attempt-1: stopped, as asked" in status and "attempt-2: done" in status
    assert "step 6" in job.ask("logs", "--attempt", "2")


def test_requeued_it_continues_where_it_was(job, tmp_path):
    """`scontrol requeue` signals every process of the job."""
    job.launch("hold_at=3")
    job.until(lambda: job.steps() == 2, LIMIT_S)
    scontrol("requeue", job.id)
    starts_again(job)
    assert ended(job) == "completed", job.everything()
    job.assert_as_if_never_stopped(tmp_path / "whole", steps=6)
    assert "ended by the scheduler" in job.result(1)["reason"]


def test_preempted_it_saves_its_step_and_continues(job, tmp_path):
    """A job of a partition that goes first; this SLURM then gives the notice (`preempt_send_user_signal`), and time."""
    job.launch("hold_at=3", "job.options=[--nodelist=n1]", "job.exclusive=true")
    job.until(lambda: job.steps() == 2, LIMIT_S)
    urgent = ["sbatch", "--parsable", "--partition=urgent", "--nodelist=n1", "--exclusive", "--output=/dev/null", "--wrap=true"]
    subprocess.run(urgent, check=True, capture_output=True)
    job.until(lambda: job.result(1), LIMIT_S)
    assert job.result(1)["reason"] == "stopped, as asked", job.everything()
    starts_again(job)
    assert ended(job) == "completed", job.everything()
    job.assert_as_if_never_stopped(tmp_path / "whole", steps=6)


def test_a_job_that_is_killed_costs_the_steps_since_the_last_checkpoint(job, slurm, tmp_path):
    """`kill -9` of every process of the job; the same command continues, and one step is taken twice."""
    job.launch("hold_at=4", "save_every=2")
    job.until(lambda: job.steps() == 3, LIMIT_S)
    marks = {f"SLURM_JOB_ID={job.id}".encode(), f"SLURM_CONF={slurm}/slurm.conf".encode()}
    killed = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if marks <= _words(path)]
    assert len(killed) >= 2
    for pid in killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert ended(job) == "failed"
    assert job.result(1) is None and "attempt-1: has not said how it ended" in job.ask("status")
    job.launch("save_every=2")
    assert ended(job) == "completed", job.everything()
    job.assert_as_if_never_stopped(tmp_path / "whole", steps=6, redone=1)


def _words(path: Path) -> set[bytes]:
    try:
        return set(path.read_bytes().split(b"\0"))
    except OSError:
        return set()


def test_cancelled_and_stopped_jobs_stay_down(job):
    job.launch("hold_at=3")
    job.until(lambda: job.steps() == 2, LIMIT_S)
    assert "is told to end" in job.ask("cancel")
    assert ended(job) == "cancelled"
    job.launch("hold_at=5")
    job.until(lambda: job.steps() == 4, LIMIT_S)
    assert "asked to end after its step" in job.ask("cancel", "--after-step")
    assert ended(job) == "failed"  # SLURM's word for any exit code but 0
    assert job.result(2)["code"] == 75 and job.steps() in (4, 5)


def test_a_failed_job_is_not_tried_again(job):
    job.launch("fail_at=2")
    assert ended(job) == "failed"
    assert job.result(1)["code"] == 1 and "this step fails" in job.ask("logs")


def test_what_sbatch_says_is_shown(job):
    done = job.run(*job.arguments("job.partition=nowhere"))
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "sbatch refuses the job: " in done.stderr and "invalid partition" in done.stderr


def test_a_planted_key_reaches_the_run_and_nothing_else(job, monkeypatch, slurm):
    monkeypatch.setenv("PLANTED_API_KEY", PLANTED)
    job.config.write_text("secret: PLANTED_API_KEY\n")
    job.launch("job.env=[PYTHONPATH,PLANTED_API_KEY]")
    assert ended(job) == "completed", job.everything()
    shown = subprocess.run(["scontrol", "show", "job", job.id], check=True, capture_output=True, text=True).stdout
    seen = [shown, *(path.read_text(errors="replace") for path in job.root.rglob("*") if path.is_file())]
    seen += [path.read_text(errors="replace") for path in slurm.glob("*.log")]
    assert len(seen) > 10 and not any(PLANTED in text for text in seen)


CONTAINER = """#!/bin/bash
# Stands for apptainer: drops its own options and the image, and says which image it was.
shift
while [[ $1 == --* ]]; do [ "$1" = --nv ] || shift; shift; done
echo "in $1" && shift
exec "$@"
"""


def test_a_sweep_is_a_bounded_number_of_jobs_and_finds_them_again(slurm, tmp_path, monkeypatch):
    """Killed, its jobs go on; the same command waits for them and submits the rest. One trial fails."""
    monkeypatch.setenv("SLURM_CONF", str(slurm / "slurm.conf"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    bench = Bench(tmp_path, "concurrency: 2\nspace: {gain: {values: [0, 0.5]}, fail_at: {values: [0, 2]}}\n")
    own = ["target=slurm", "job.cpus_per_node=1", "job.time=10:00", "settings=[step_s=0.5]"]
    bench.kill_when(bench.start(*own), lambda: sum(bench.attempts()) >= 1)
    submitted = list(bench.root.glob("trials/*/job.json"))
    assert 1 <= len(submitted) <= 2
    ids = {path: path.read_text() for path in submitted}
    process = bench.start(*own)
    assert process.wait(LIMIT_S) == 1, (tmp_path / "sweep.log").read_text()
    assert bench.attempts() == [1, 1, 1, 1] and all(path.read_text() == text for path, text in ids.items())
    result = bench.result()
    assert result["trials"]["done"] == 2 and [entry["note"].split(":")[0] for entry in result["apart"]] == ["exit code 1"] * 2


def test_in_a_container(job, tmp_path, monkeypatch):
    """The container's program is a stand-in; where its words stand is tested, not what it isolates."""
    (tmp_path / "apptainer").write_text(CONTAINER)
    (tmp_path / "apptainer").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    job.launch("job.container=an image.sif", "job.mounts=[/srv]")
    assert ended(job) == "completed", job.everything()
    assert "in an image.sif\n" in job.printed(1) and job.steps() == 6


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [1, 2])
def test_ray_on_the_nodes_of_a_job(job, nodes):
    """A head and workers, each under an srun of its own; the run takes its steps in a process of Ray's."""
    job.launch("job.ray=workers", f"job.nodes={nodes}", "actor=true")
    assert ended(job) == "completed", job.everything()
    names = "n1, n2" if nodes == 2 else "n1"
    assert "Ray sees all nodes and GPUs" in job.printed(1) and f": {names}\n" in job.printed(1)
    assert job.steps() == 6
    job.until(lambda: not Path(f"/tmp/rl_align-{job.id}").exists(), LIMIT_S)


@pytest.mark.slow
def test_ray_by_symmetric_run(job, slurm):
    """It ends with `ray stop`, which ends every Ray that it sees: only where this SLURM has processes of its own."""
    pid = (slurm / "pid").read_text().strip()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    if not children or os.readlink(f"/proc/{children[0]}/ns/pid") == os.readlink("/proc/self/ns/pid"):
        pytest.skip("process-id namespaces are not allowed here")
    job.launch("job.ray=symmetric", "job.exclusive=true", "actor=true")
    assert ended(job) == "completed", job.everything()
    assert "Ray sees all nodes and GPUs" in job.printed(1) and job.steps() == 6


@pytest.mark.slow
def test_nodes_and_gpus_that_do_not_come_are_named(job):
    """SLURM believes in a GPU that Ray does not find; and Ray dies on the second node."""
    job.launch("job.gpus_per_node=1", "job.wait_s=60")
    assert ended(job) == "failed"
    assert re.search(r"\nrl-align launch: error: missing after 60 s: n[12] \(0 of 1 GPUs\)\n", job.ask("logs")), job.everything()

    job.launch("job.nodes=2", "hold_at=3")
    job.until(lambda: job.steps() == 2, LIMIT_S)
    os.kill(_ray_of("n2"), signal.SIGKILL)
    assert ended(job) == "failed"
    assert job.result(2)["reason"] == "failed nodes: n2 (Ray ended with exit code 137)", job.everything()
    log = (job.folder / "logs" / f"slurm-{job.id}.log").read_text()
    assert log.count("rl-align launch: error: failed nodes: n2 (Ray ended with exit code 137); logs are in") == 1


def _ray_of(node: str) -> int:
    """The process id of `ray start` on a node of the last test's job."""
    wanted = {b"start", b"ray.scripts.scripts", f'{{"rl_align_node_{node}": 1}}'.encode()}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        words = _words(path)
        if wanted <= words and not words & {b"srun", b"bash"}:
            return int(path.parent.name)
    raise AssertionError(f"no Ray on {node}")


@pytest.mark.slow
@pytest.mark.engine
def test_the_smoke_run_requeued_while_it_trains_has_the_metrics_of_the_local_run(slurm, tmp_path, monkeypatch, run_command):
    """Lock: submitted, requeued in the middle of GRPO, warned in the middle of what follows, finished; read back."""
    monkeypatch.setenv("SLURM_CONF", str(slurm / "slurm.conf"))
    config = ROOT / "experiments" / "pictograms" / "smoke.yaml"
    small = ["seats=[responder]", "grpo.save_every=1"]
    local = run_command(config, [*small, f"folder={tmp_path / 'local'}"])
    assert local.wait(900) == 0, local.tail()

    job = Job(tmp_path, "slurm")
    launch = ["launch", "slurm", str(config), *small, f"folder={json.dumps(str(job.folder))}", "job.time=60:00"]
    done = job.run(*launch, "job.cpus_per_node=2")
    assert done.returncode == 0, done.stderr

    def steps(stage: str) -> int:
        return len(Ledger(job.folder / "ledger.jsonl").clean(stage))

    job.until(lambda: steps("sft") >= 2, 600)
    sends(job, "USR1")  # the warning: the step is finished and saved
    job.until(lambda: job.result(1), 120)
    assert job.result(1)["code"] == 75, job.everything()
    assert not any(entry.redone for entry in Ledger(job.folder / "ledger.jsonl").entries("sft"))
    starts_again(job)
    job.until(lambda: steps("grpo") >= 1, 600)
    scontrol("requeue", job.id)  # no warning: every process is signalled
    starts_again(job)
    job.until(lambda: (job.folder / "summary.json").exists(), 900)
    assert ended(job) == "completed", job.everything()

    mine, theirs = Ledger(job.folder / "ledger.jsonl"), Ledger(tmp_path / "local" / "ledger.jsonl")
    for stage in ("pretrain", "sft", "grpo"):
        assert mine.clean(stage) == theirs.clean(stage), stage
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (job.folder, tmp_path / "local")]
    assert set(summaries[0]["models"]) == set(summaries[1]["models"])
    for model, splits in summaries[1]["models"].items():
        for split, metrics in splits.items():
            for name in ("attack_success", "over_refusal", "behaviour_accuracy", "format_ok"):
                assert summaries[0]["models"][model][split][name] == pytest.approx(metrics[name], abs=0.1), (model, split, name)
