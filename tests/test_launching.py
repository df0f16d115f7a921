"""`rl-align launch`: one description for three targets; what is refused before a job waits in a queue; what a script may hold.

The script's own logic runs here with scripted stand-ins for srun and scontrol; a real SLURM is in test_slurm.py, a real Ray cluster
in test_ray_jobs.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from launching import PATIENCE_S, STAND_IN, Job

from rl_align.cli import main
from rl_align.errors import UserError
from rl_align.launch import plan, ray_jobs, ready, record, slurm
from rl_align.launch.config import JobConfig, RayStart, load_job
from rl_align.runfiles import stop

SMOKE = str(ROOT / "experiments" / "pictograms" / "smoke.yaml")
QWEN = str(ROOT / "experiments" / "qwen" / "qwen2_5_vl_7b.yaml")
PLANTED = "sk-planted-0123456789abcdef"


def made(*settings: str, config: str = SMOKE) -> plan.Plan:
    return plan.make(config, settings)


def script(*settings: str) -> str:
    return slurm.render(made(*settings))


def test_a_file_and_settings_make_one_description(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text("nodes: 2\ngpus_per_node: 8\npartition: long\ntime: 1-00:00:00\nsetup: [module load cuda]\n")
    job, rest = load_job(path, ["job.nodes=4", "seed=2", "job.time=12:00:00", "job.account=0123"])
    assert rest == ["seed=2"]
    assert (job.nodes, job.gpus_per_node, job.partition, job.setup) == (4, 8, "long", ["module load cuda"])
    assert job.time == "12:00:00", "YAML's sixty-based number"
    assert job.account == "0123", "YAML's octal number"


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("job.nods=2", "the nearest valid key is nodes"),
        ("job.nodes=0", "job.nodes: is 0; expected 1 or more"),
        ("job.time=tomorrow", "job.time: is 'tomorrow'"),
        ("job.time=90", "job.time: is '90'"),
        ("job.partition=a b", "job.partition: is 'a b'"),
        ("job.partition=x\n#SBATCH --uid=0", "job.partition"),
        ("job.account=$(id)", "job.account"),
        ("job.name=a;b", "job.name"),
        ("job.memory_per_node=64 GB", "such as 64G"),
        ("job.env=[KEY=value]", "names of environment variables, never values"),
        ("job.options=['--wrap=echo hello']", "options of sbatch"),
        ("job.options=['--export=ALL']", "none that the script sets itself"),
        ("job.mounts=['/a,/b']", "without commas"),
        ("job.notice_s=5", "30 to"),
        ("job.ray=symmetric", "job.exclusive=true"),
        ('job.container="a\\nb"', "no control characters"),
        ('job.folder="a\\nb"', "no control characters"),
        ("job.nodes=2", "on CPUs the engine uses one machine"),
    ],
)
def test_what_cannot_work_is_named_before_it_waits_in_a_queue(setting, part):
    with pytest.raises(UserError, match="(?s)" + part.replace("(", r"\(").replace("[", r"\[")):
        made(setting)


def test_nodes_without_ray_cannot_work_together():
    with pytest.raises(UserError, match="job.ray: is none on 2 nodes"):
        load_job(None, ["job.nodes=2", "job.ray=none"])


def test_the_engine_and_the_job_must_agree_on_devices(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    with pytest.raises(UserError, match="job.gpus_per_node: is 4; expected 8, which the engine of"):
        made(f"model.path={model}", "job.gpus_per_node=4", config=QWEN)
    assert made(f"model.path={model}", "job.gpus_per_node=8", config=QWEN).job.ray_start is RayStart.workers


def test_an_experiment_that_cannot_work_is_refused_as_well():
    with pytest.raises(UserError, match="grpo.temperature"):
        made("grpo.temperature=0")
    with pytest.raises(UserError, match="job.folder: no value"):
        made("job.command=[true]")


def test_ray_is_started_where_it_is_needed():
    assert JobConfig().ray_start is RayStart.none
    assert JobConfig(nodes=2).ray_start is JobConfig(gpus_per_node=1).ray_start is RayStart.workers


GOLDEN = """\
#SBATCH --job-name=smoke
#SBATCH --output="{root}/runs/smoke/logs/slurm-%j.log"
#SBATCH --open-mode=append
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=64G
#SBATCH --time=02:00:00
#SBATCH --account=lab
#SBATCH --partition=long
#SBATCH --exclusive
#SBATCH --mail-type=END
#SBATCH --requeue
#SBATCH --signal=B:USR1@300
#SBATCH --export=PATH,HOME,HF_TOKEN
set -euo pipefail

folder={root}/runs/smoke
command=({python} -m rl_align.cli run {config} folder=runs/smoke)
"""


def test_the_head_of_a_script(monkeypatch):
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setenv("HOME", "/root")
    monkeypatch.chdir(ROOT)
    text = script(
        "folder=runs/smoke", "job.cpus_per_node=4", "job.memory_per_node=64G", "job.time=02:00:00", "job.account=lab",
        "job.partition=long", "job.exclusive=true", "job.options=[--mail-type=END]", "job.env=[HF_TOKEN]", "job.notice_s=300",
    )  # fmt: skip
    assert GOLDEN.format(root=ROOT, python=sys.executable, config=SMOKE) in text


RAYS = {
    "none": [],
    "workers": ["job.ray=workers"],
    "symmetric": ["job.ray=symmetric", "job.exclusive=true"],
    "apptainer": ["job.container=/images/x y.sif", "job.mounts=['/data:/data', /models]", "job.gpus_per_node=0"],
    "pyxis": ["job.container=nvcr.io#a/b:1", "job.container_runtime=pyxis", "job.ray=workers"],
    "setup": ["job.setup=['module load cuda/12.4', 'export NCCL_DEBUG=WARN']"],
}


@pytest.mark.parametrize("name", RAYS)
def test_scripts_are_sound_shell_without_fixed_sleeps_and_without_a_look_at_the_environment(name, tmp_path):
    text = script(*RAYS[name])
    path = tmp_path / "job.sh"
    path.write_text(text)
    assert subprocess.run(["bash", "-n", str(path)], capture_output=True).returncode == 0
    if shutil.which("shellcheck"):
        # Functions that traps call look unreachable to it; single quotes and commas are meant where it doubts them.
        done = subprocess.run(["shellcheck", "--exclude=SC2317,SC2016,SC2054", str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    words = text.split()
    assert not {"printenv", "env", "-x", "declare", "export -p"} & set(words)
    # One second at a time, between two looks at what is waited for.
    assert [line.strip() for line in text.splitlines() if "sleep" in line] == ["sleep 1 &"]


@pytest.mark.parametrize("ray", ["workers", "symmetric"])
def test_rays_folder_is_nobody_elses(ray, tmp_path):
    """Its name follows from the job's number, so anybody on a node may have put something there first."""
    text = script(f"job.ray={ray}", "job.exclusive=true")
    assert text.count('"$own"\'') == 1, "what starts Ray on a node looks first"
    look = text.split("own='", 1)[1].split("'\n#", 1)[0]

    def looks(folder: Path) -> int:
        return subprocess.run(["bash", "-c", look], env={**os.environ, "RAY_TMPDIR": str(folder)}, capture_output=True).returncode

    mine, elsewhere, link = tmp_path / "mine", tmp_path / "elsewhere", tmp_path / "link"
    assert looks(mine) == looks(mine) == 0 and mine.stat().st_mode & 0o777 == 0o700
    elsewhere.mkdir()
    link.symlink_to(elsewhere)
    assert looks(link) == 1
    if os.getuid() == 0:
        os.chown(elsewhere, 65534, 65534)
        assert looks(elsewhere) == 1


def test_a_container_sees_the_folders_that_the_run_needs():
    text = script(*RAYS["apptainer"])
    work, folder = Path.cwd(), Path.cwd() / "runs" / "smoke"
    expected = (
        f"inside=(apptainer exec --bind /data:/data --bind /models --bind {work} --bind {folder} --pwd {work} '/images/x y.sif')"
    )
    assert expected in text and "command=(python3 -m" in text
    text = script(*RAYS["pyxis"])
    mounts = f"--container-mounts={work}:{work},{folder}:{folder}"
    assert f"container=('--container-image=nvcr.io#a/b:1' {mounts} --container-workdir={work})" in text
    assert "--nv" in script("job.container=x.sif", "job.gpus_per_node=8", "job.command=[a]", "job.folder=f")


HOSTILE = ["a b", "a'b", 'a"b', "$(touch bad)", "`touch bad`", "a\nb", "a\\", "*", "; touch bad", "&& touch bad", "-rf", "é 画"]


class Cluster:
    """A machine with scripted srun and scontrol: srun runs the command here, with its options in a file."""

    PROGRAMS = {
        "srun": r"""
echo "$@" >>"$CALLS"
node=n1
while [ $# -gt 0 ]; do
  case $1 in
    --nodelist=*) node=${1#*=} && shift ;;
    --*) shift ;;
    *) break ;;
  esac
done
export SLURMD_NODENAME=$node
exec "$@"
""",
        "scontrol": r"""
echo "scontrol $*" >>"$CALLS"
if [ "$1 $2" = "show hostnames" ]; then tr ',' '\n' <<<"$3"; fi
""",
        # The script looks once a second at what it waits for; here that second is short.
        "sleep": r"""
exec env PATH=/usr/bin:/bin sleep "${1/#1/0.1}"
""",
    }

    def __init__(self, root: Path):
        self.job = Job(root, "slurm")
        self.calls = root / "calls"
        self.bin = root / "bin"
        self.bin.mkdir()
        self.started: list[subprocess.Popen] = []
        for name, text in self.PROGRAMS.items():
            self.put(name, text)

    def put(self, name: str, text: str) -> None:
        (self.bin / name).write_text(f"#!/bin/bash\n{text}")
        (self.bin / name).chmod(0o755)

    def start(self, *settings: str, **variables: str) -> subprocess.Popen:
        """The rendered script, as SLURM would start it."""
        config, *own = self.job.arguments(*settings)[2:]
        text = slurm.render(plan.make(config, own))
        self.script = self.job.root / "job.sh"
        # The script puts the interpreter's folder first on PATH; here the stand-ins must come before it.
        before = "\nexport PYTHONUNBUFFERED"
        self.script.write_text(text.replace(before, f"\nPATH={shlex.quote(str(self.bin))}:$PATH{before}", 1))
        (self.job.folder / "logs").mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "CALLS": str(self.calls), "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n1",
            **variables,
        }  # fmt: skip
        with open(self.job.root / "script.log", "wb") as output:
            options = {"env": environment, "stdout": output, "stderr": output, "start_new_session": True}
            # A shell that starts the tests in its background has its children ignore interrupts; SLURM's jobs do not.
            asked = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp('bash', ['bash', sys.argv[1]])"
            self.started.append(subprocess.Popen([sys.executable, "-S", "-c", asked, str(self.script)], **options))
        return self.started[-1]

    def end(self) -> None:
        """What a job's end does to whatever it has left running."""
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def said(self) -> str:
        return (self.job.root / "script.log").read_text()

    def called(self, word: str) -> bool:
        return self.calls.exists() and word in self.calls.read_text()


@pytest.fixture
def cluster(tmp_path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.end()


def test_hostile_words_reach_the_command_as_they_are(cluster, tmp_path):
    show = "import json, sys; json.dump(sys.argv[1:], open(sys.argv[1], 'w'))"
    target = tmp_path / "words"
    command = json.dumps([sys.executable, "-c", show, str(target)])
    process = cluster.start(f"job.command={command}", *(f"name={word}" for word in HOSTILE))
    assert process.wait(PATIENCE_S) == 0, cluster.said()
    assert json.loads(target.read_text())[-len(HOSTILE) :] == [f"name={word}" for word in HOSTILE]
    assert not (ROOT / "bad").exists() and not Path("bad").exists()


@pytest.mark.parametrize("name", ["a'b", 'a"b', "a\\b", "a%jb", "a#b"])
def test_a_folder_that_sbatch_cannot_be_told_is_refused(name, tmp_path):
    with pytest.raises(UserError, match="a path that sbatch can be told"):
        script(f"job.folder={json.dumps(str(tmp_path / name))}", "job.command=[a]")


def test_a_run_ends_in_an_attempt_with_its_log_and_how_it_ended(cluster):
    process = cluster.start()
    assert process.wait(PATIENCE_S) == 0, cluster.said()
    assert "step 6" in cluster.job.printed(1)
    assert cluster.job.result(1)["code"] == 0 and cluster.job.result(1)["nodes"] == "n1"
    assert not cluster.called("requeue")
    assert cluster.start().wait(PATIENCE_S) == 0 and cluster.job.result(2)["reason"] == "done"


def test_the_notice_ends_the_step_and_puts_the_job_back(cluster):
    process = cluster.start("hold_at=3")
    cluster.job.until(lambda: cluster.job.steps() == 2)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(PATIENCE_S) == stop.AGAIN, cluster.said()
    assert cluster.called("scontrol requeue 7") and cluster.job.steps() in (2, 3)  # the request may still have met the second one
    assert cluster.job.result(1)["reason"] == "stopped, as asked"
    cluster.calls.unlink()
    process = cluster.start("hold_at=5", SLURM_RESTART_COUNT="20")
    cluster.job.until(lambda: cluster.job.steps() == 4)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(PATIENCE_S) == stop.AGAIN
    assert "after 20 times" in cluster.said() and not cluster.called("requeue")


def test_what_a_person_stops_stays_down(cluster):
    process = cluster.start("hold_at=3")
    cluster.job.until(lambda: cluster.job.steps() == 2)
    stop.request(cluster.job.folder, "asked by a person")
    assert process.wait(PATIENCE_S) == stop.AGAIN
    assert not cluster.called("requeue")


def test_a_failure_is_not_tried_again_and_says_so(cluster):
    process = cluster.start("fail_at=3")
    assert process.wait(PATIENCE_S) == 1
    assert "this step fails" in cluster.said()
    assert cluster.job.result(1) | {"begun": 0, "ended": 0} == {
        "code": 1,
        "reason": "failed",
        "begun": 0,
        "ended": 0,
        "nodes": "n1",
    }
    assert not cluster.called("requeue")


def test_a_node_that_fails_is_named(cluster):
    """Ray on the second node ends at once; the command, on the first one, would wait for it."""
    cluster.put("interpreter", '[[ "$SLURMD_NODENAME $*" == "n2 "*" start "* ]] && exit 1\nexec sleep 60\n')
    cluster.put("hostname", "echo 127.0.0.1")
    cluster.put("getent", "exit 2")
    job_id, listening = _listening()
    settings = ["job.nodes=2", "job.wait_s=60", f"job.python={cluster.bin / 'interpreter'}"]
    with listening:
        process = cluster.start(*settings, SLURM_JOB_ID=job_id, SLURM_JOB_NODELIST="n1,n2")
        assert process.wait(PATIENCE_S) == 1
    assert "rl-align launch: error: failed nodes: n2 (Ray ended with exit code 1); logs are in" in cluster.said()
    assert cluster.job.result(1)["nodes"] == "n1 n2"


def _listening() -> tuple[str, socket.socket]:
    """A job's number whose port for Ray's head is listened to, as if the head were up."""
    for number in range(1, 5000):
        try:
            return str(number), socket.create_server(("127.0.0.1", 20000 + number))
        except OSError:
            continue
    raise AssertionError("no port is free")


def test_a_planted_key_is_nowhere(cluster, monkeypatch):
    monkeypatch.setenv("PLANTED_API_KEY", PLANTED)
    cluster.job.environment["PLANTED_API_KEY"] = PLANTED
    cluster.job.config.write_text("secret: PLANTED_API_KEY\n")
    process = cluster.start("job.env=[PYTHONPATH,PLANTED_API_KEY]")
    assert process.wait(PATIENCE_S) == 0, cluster.said()
    assert "PLANTED_API_KEY" in cluster.script.read_text()
    seen = [path.read_text(errors="replace") for path in cluster.job.root.rglob("*") if path.is_file()]
    assert len(seen) > 8
    assert not any(PLANTED in text for text in seen)


def test_a_setting_that_spells_a_key_is_refused_without_showing_it(monkeypatch):
    monkeypatch.setenv("PLANTED_API_KEY", PLANTED)
    for setting in (f"folder=runs/{PLANTED}", f"job.setup=['export X={PLANTED}']"):
        with pytest.raises(UserError, match="the variable PLANTED_API_KEY") as caught:
            made(setting)
        assert PLANTED not in str(caught.value)
    monkeypatch.setenv("PLANTED_TOKEN_PATH", str(ROOT))  # where a secret lies is not secret
    made()


def test_without_sbatch_or_with_its_refusal_there_is_one_line(tmp_path):
    job = Job(tmp_path, "slurm")
    job.environment["PATH"] = str(tmp_path)
    done = job.run(*job.arguments())
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "there is no sbatch here" in done.stderr
    refusing = tmp_path / "sbatch"
    refusing.write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: nope' >&2\nexit 1\n")
    refusing.chmod(0o755)
    done = job.run(*job.arguments("job.partition=nope"))
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "sbatch refuses the job: invalid partition specified: nope" in done.stderr
    done = job.run(*job.arguments("job.env=[NOT_SET_ANYWHERE]"))
    assert done.returncode == 2 and "job.env: NOT_SET_ANYWHERE is not set" in done.stderr


def test_here_a_run_is_stopped_after_its_step_and_continues(tmp_path):
    job = Job(tmp_path, "local")
    process = job.start(*job.arguments("hold_at=3"))
    job.until(lambda: job.steps() == 2)
    status = job.ask("status")
    assert "local job" in status and ": running" in status and "attempt-1: has not said how it ended" in status
    assert "is told to end" in job.ask("cancel")
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == stop.AGAIN, out + err
    assert "step 3\nstopped after step 3 of 6 of train, as asked" in out and job.steps() == 3
    job.launch("hold_at=3")
    job.assert_as_if_never_stopped(tmp_path / "whole", steps=6)
    status = job.hear("status")
    assert ": ended" in status and "attempt-1: stopped, as asked" in status and "attempt-2: done" in status
    assert job.hear("logs", "--attempt", "1").splitlines()[-1].startswith("stopped after step 3 of 6 of train, as asked")
    assert job.hear("logs", "--lines", "1").splitlines()[0].endswith("attempt-2/command.log:")


def test_a_request_in_the_folder_stops_a_run_too(tmp_path):
    job = Job(tmp_path, "local")
    process = job.start(*job.arguments("hold_at=2"))
    job.until(lambda: job.steps() == 1)
    assert "asked to end after its step" in job.hear("cancel", "--after-step")
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == stop.AGAIN and not stop.requested(job.folder)


def test_a_command_that_cannot_be_run_is_an_attempt_that_failed(tmp_path):
    job = Job(tmp_path, "local")
    done = job.run(*job.arguments("job.command=[no-such-program]"))
    assert done.returncode == 2 and "cannot run no-such-program" in done.stderr
    assert job.result(1)["code"] == 2


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["status", "nowhere"], "not the id of a SLURM job"),
        (["status", "{folder}"], "nothing was launched from here"),
        (["logs", "{folder}/job"], "no attempt yet"),
        (["logs", "12345"], "only its id is known"),
        (["cancel", "{folder}/job"], "has ended already"),
    ],
)
def test_questions_without_an_answer_are_one_line(arguments, part, tmp_path, capsys):
    record.write(record.Submitted("local", "1-1", str(tmp_path / "job")))
    assert main(["launch", *(argument.format(folder=tmp_path) for argument in arguments)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and part in error


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "job.json").write_text("{")
    with pytest.raises(UserError, match="record of the job is damaged"):
        record.read(tmp_path)
    attempt = record.new_attempt(tmp_path)
    assert "has not said how it ended" in record.described(attempt)
    (attempt / "result.json").write_text("[]")
    assert "damaged" in record.described(attempt)
    assert record.new_attempt(tmp_path).name == "attempt-2"


def _node(name: str, gpus: int = 0, alive: bool = True) -> dict:
    return {"Alive": alive, "NodeManagerHostname": "host", "Resources": {f"rl_align_node_{name}": 1.0, "GPU": float(gpus)}}


def test_missing_nodes_and_gpus_are_named():
    nodes = [_node("n1", 8), _node("n2", 3), _node("n3", 8, alive=False)]
    assert ready.missing(nodes, ["n1", "n2", "n3"], 8) == ["n3", "n2 (3 of 8 GPUs)"]
    assert ready.missing(nodes[:1], ["n1"], 8) == [] == ready.missing(nodes, ["n1", "n2"], 0)
    assert ready.short_of(nodes, 2, 8) == ["2 nodes of 8 GPUs; there are host (3 GPUs), host (8 GPUs)"]
    assert ready.short_of(nodes, 1, 8) == []


def test_a_head_that_does_not_listen_is_named(capfd):
    assert ready.main(["--address", "127.0.0.1:9", "--nodes", "n1", "--wait", "0", "--", "true"]) == 1
    assert capfd.readouterr().err == "rl-align launch: error: missing after 0 s: Ray's head at 127.0.0.1:9\n"


def test_what_a_ray_cluster_runs_is_one_quoted_line():
    made_plan = made("job.gpus_per_node=0", "job.env=[HF_TOKEN]", "folder=runs/a b")
    words = shlex.split(ray_jobs.entrypoint(made_plan))
    assert words[:3] == ["cd", str(Path.cwd()), "&&"]
    assert words[words.index("--env") + 1] == "HF_TOKEN" and "folder=runs/a b" in words
    assert "rl_align.launch.ready" not in words
    several = ray_jobs.entrypoint(made("job.gpus_per_node=8", "job.nodes=2", "job.command=[a]", "job.folder=f"))
    assert "rl_align.launch.ready --count 2 --gpus 8 --wait 600 -- a" in several


def test_no_cluster_is_one_line(tmp_path):
    job = Job(tmp_path, "ray")
    done = job.run(*job.arguments("job.address=http://127.0.0.1:9"))
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "no Ray cluster answers" in done.stderr


def test_variables_that_the_cluster_lacks_are_named(tmp_path):
    command = [sys.executable, "-m", "rl_align.launch.attempt", str(tmp_path), "--env", "NOT_SET_ANYWHERE", "--", *STAND_IN]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "NOT_SET_ANYWHERE is not set on" in done.stderr and not (tmp_path / "logs").exists()


def test_the_template_lies_where_people_look_for_it():
    assert (ROOT / "launch" / "slurm" / "slurm.sh.j2").read_text() == (slurm.TEMPLATES / "slurm.sh.j2").read_text()
    example = yaml.safe_load((ROOT / "launch" / "slurm" / "job.yaml").read_text())
    load_job(ROOT / "launch" / "slurm" / "job.yaml", [])
    assert {"nodes", "gpus_per_node", "time", "account", "partition"} <= set(example)
