"""The check of a GPU, without one: its processes are a stand-in at the process boundary, nvidia-smi a script on PATH.

1. The plan's steps are the stages of its experiment, in its order.
2. Everything that a run left behind becomes numbers, and numbers become verdicts.
3. A step that is out of time is cut, those after it still run, and the next call goes on where it stopped.
4. Whenever it is killed, the record is valid JSON, no process is left, and the next call finishes.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import gpu_stand_in
import pytest
from conftest import ROOT

from rl_align.cli import main
from rl_align.config import load_config
from rl_align.errors import UserError
from rl_align.pipeline.config import RunConfig, resolve
from rl_align.pipeline.gpu_check import checks, measure
from rl_align.pipeline.gpu_check.command_lines import FLOAT32_SETTINGS, Commands
from rl_align.pipeline.gpu_check.flops import Shapes, patches, update_flops
from rl_align.pipeline.gpu_check.machine import GPU, MemoryWatch, find_gpu
from rl_align.pipeline.gpu_check.plan import FLOAT32, PLAIN, PROBE, SMALL, Plan, Step, allowance_s, make_plan
from rl_align.pipeline.gpu_check.run import GPUCheck
from rl_align.pipeline.run import Run

KINDS = {"small": {}, "big": {"big": True}, "cpu": {"cpu": True}}
H100 = GPU("NVIDIA H100 80GB HBM3", 81559, 3, "580.1")
STAND_IN = [sys.executable, "-S", "-E", str(Path(gpu_stand_in.__file__))]


def short(*steps: Step) -> Plan:
    """The small plan with these steps only."""
    return replace(make_plan(ROOT), steps=steps)


def step(name: str, **changes) -> Step:
    """A step of the small plan, by default one that needs nothing."""
    return replace(next(s for s in SMALL if s.name == name), **{"needs": (), **changes})


class Bench:
    """A folder with a stand-in's script, and checks in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.folder = folder / "check"
        self.script, self.calls_file = folder / "script.json", folder / "calls"
        monkeypatch.setenv("GPU_STAND_IN", str(self.script))
        monkeypatch.setenv("PATH", str(folder))  # no nvidia-smi but a test's own
        self.lines: list[str] = []

    def check(self, how: dict | None = None, plan: Plan | None = None, minutes: float = 10, **options) -> dict:
        self.script.write_text(json.dumps(how or {}))
        self.calls_file.write_text("")
        arguments = {"gpu": H100, "grace_s": 0.3, "began": time.time(), **options}
        plan = plan or make_plan(ROOT)
        GPUCheck(plan, self.folder, minutes=minutes, python=STAND_IN, say=self.lines.append, **arguments).run()
        return self.record

    @property
    def record(self) -> dict:
        return json.loads((self.folder / "gpu_check.json").read_bytes())

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().split()


@pytest.fixture
def bench(tmp_path, monkeypatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def verdicts(record: dict) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in record["checks"]}


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_are_the_stages_of_the_experiment_in_its_order(kind):
    plan = make_plan(ROOT, **KINDS[kind])
    stages = [stage.name for stage in Run(resolve(load_config(RunConfig, plan.experiment))).stages()]
    names = [step.name for step in plan.steps]
    assert [name for name in names if name not in (PROBE, PLAIN, FLOAT32)] == stages
    for number, step in enumerate(plan.steps):
        assert set(step.needs) <= set(names[:number]), step.name
    assert plan.kind == kind and plan.minutes > 0


def test_every_step_has_settings_that_resolve(tmp_path):
    for kind, options in KINDS.items():
        plan = make_plan(ROOT, **options)
        commands = Commands(plan, tmp_path / kind, cpu=kind == "cpu")
        runs = [commands.of(s) for s in plan.steps if s.name not in (PROBE, PLAIN)]
        assert all(arguments[1:3] == ["rl_align.cli", "run"] and Path(arguments[3]).is_file() for arguments in runs)
        for given in {tuple(a for a in arguments[4:] if "=" in a) for arguments in runs}:
            resolve(load_config(RunConfig, plan.experiment, given))
    given = load_config(RunConfig, make_plan(ROOT).experiment, FLOAT32_SETTINGS)
    assert (given.engine.rollout_dtype, given.engine.train_dtype, given.grpo.steps) == ("float32", "float32", 2)


def test_a_step_that_others_need_may_take_all_the_time_and_one_that_is_cut_its_share():
    needed, first, second = Step("a", 1, ""), Step("b", 3, "", cut=True), Step("c", 1, "", cut=True)
    assert allowance_s(needed, [first, second], 100, 20) == 80
    assert allowance_s(first, [second], 100, 20) == 75
    assert allowance_s(second, [], 100, 20) == 80
    assert allowance_s(first, [second], 10, 20) < 0


def test_a_whole_check_becomes_numbers_and_verdicts(bench):
    record = bench.check()
    names = [step.name for step in SMALL]
    assert bench.calls == names and record["complete"] and not record["not_reached"]
    assert {step["state"] for step in record["steps"].values()} == {"done"}
    assert record["steps"]["grpo"]["parts_s"]["generate"] == 2.0  # without the first step after the start
    generation = record["generation"]
    assert generation["engine"]["tokens_per_s"] == 20.0 and generation["engine"]["steps"] == list(range(2, 13))
    assert generation["plain_vllm"] == {"tokens_per_s": 25.0, "of_steps": [9, 10, 11, 12]} and generation["ratio"] == 0.8
    assert generation["engine_same_steps"]["steps"] == [9, 10, 11, 12]
    # text 6 · 2,000 · 100, attention 6 · 2 · 8 · 100² / 4, vision 6 · (1,000 + 400 / 4) · 64 patches · 4 pictures
    operations = 1_200_000 + 240_000 + 1_689_600
    assert record["update"]["tflops_per_s"] == round(operations / 1e12, 3) and record["update"]["tokens_per_s"] == 100.0
    assert record["update"]["mfu"] == round(operations / 9.89e14, 4)
    assert record["weight_sync"] == {"share": 0.02, "rewriter": 0.02}
    assert record["correlation"]["bfloat16"] == {"lowest": 0.999, "mean": pytest.approx(0.999), "measured": 12}
    assert record["memory"]["trainer_peak_gib"] == {"grpo": 7.5, "rewriter_grpo": 7.5, "float32": 7.5}
    assert record["curves"]["grpo"][0] == [1, 0.1] and record["curves"]["sft"][-1] == [12, round(1 / 12, 5)]
    assert record["machine"]["probe"]["matmul_tflops_per_s"] == 700.0
    assert record["machine"]["gpu"]["peak_bf16_flops"] == 9.89e14
    there = find_spec("flash_attn") is not None
    trainer = "flash_attention_2" if there else "sdpa"
    assert record["machine"]["attention"] == {"trainer": trainer, "remove_padding": there, "flash_attn": there}
    assert verdicts(record) == {
        "every step runs": "pass",
        "generation beside plain vLLM": "reported",
        "MFU of the update": "reported",
        "weight sync, share of a step": "reported",
        "rollout/trainer probability correlation, bfloat16": "pass",
        "rollout/trainer probability correlation, float32": "reported",
        "GRPO improves the responder": "pass",
        "GRPO improves the rewriter": "pass",
    }


def test_a_finished_check_starts_nothing_and_other_settings_start_all_of_it(bench):
    plan = short(step(PROBE), step("data"), step("sft"))
    bench.check(plan=plan)
    bench.check(plan=plan)
    assert bench.calls == []
    record = bench.check(plan=plan, overrides=["grpo.learning_rate=1e-5"])
    assert bench.calls == [PROBE, "data", "sft"] and record["steps"]["sft"]["attempts"] == 1


def test_the_job_of_plain_vllm_asks_for_the_engines_prompts_with_their_lengths(bench):
    bench.check(plan=short(step("grpo"), step(PLAIN)))
    job = json.loads((bench.folder / "plain_vllm-job.json").read_text())
    assert job["steps"] == [[{"item": f"i{step}", "tokens": 10}] * 4 for step in (9, 10, 11, 12)]
    assert job["llm"]["enforce_eager"] is False and job["llm"]["enable_prefix_caching"] is True
    assert job["llm"]["dtype"] == "bfloat16" and job["temperature"] == 1.0
    assert job["engine"]["platform"] == "cuda" and job["of_steps"] == [9, 10, 11, 12]


def test_a_cut_step_leaves_what_it_has_the_others_run_and_the_next_call_goes_on(bench):
    plan = short(step("grpo", minutes=1.0), step(PLAIN, minutes=9.0), step("rewriter_sft"), step("eval", needs=("grpo",)))
    record = bench.check({"grpo": {"step_s": 0.1, "steps": 1000}}, plan=plan, minutes=0.5)
    grpo = record["steps"]["grpo"]
    assert grpo["state"] == "stopped" and 2 <= grpo["training_steps"] < 60 and "goes on" in grpo["why"]
    assert record["generation"]["engine"]["tokens_per_s"] == 20.0 and record["generation"]["ratio"] == 0.8
    assert record["steps"]["rewriter_sft"]["state"] == "done"
    assert record["steps"]["eval"] == {"state": "not reached", "why": "it needs grpo, which is stopped"}
    assert not record["complete"] and set(record["not_reached"]) == {"grpo", "eval"}
    assert verdicts(record)["every step runs"] == "not reached"
    before = grpo["training_steps"]
    record = bench.check({"grpo": {"steps": before + 3}}, plan=plan)
    assert bench.calls == ["grpo", "eval"]
    assert record["complete"] and record["steps"]["grpo"]["attempts"] == 2
    assert record["steps"]["grpo"]["training_steps"] == before + 3
    starts = [r["step"] for r in measure.steps_of(bench.folder / "run", "grpo") if "time/ready" in r]
    assert starts == [1, before + 1]


def test_without_time_nothing_is_begun_and_the_record_says_so(bench):
    record = bench.check(minutes=0.1)
    assert bench.calls == []
    assert record["not_reached"]["probe"] == "the time was up" and len(record["not_reached"]) == len(SMALL)
    assert set(verdicts(record).values()) == {"not reached"}


def test_a_failure_is_told_by_its_last_line_spares_what_does_not_need_it_and_is_tried_again(bench):
    how = {"grpo": {"fail": "rl-align: error: grpo: the engine failed: out of memory"}, "float32": {"fail": "no"}}
    names = ("grpo", PLAIN, "rewriter_grpo", FLOAT32)
    plan = short(*map(step, names), step("eval", needs=("grpo",)))
    record = bench.check(how, plan=plan)
    assert record["steps"]["grpo"]["why"] == "exit code 1: rl-align: error: grpo: the engine failed: out of memory"
    assert record["steps"]["plain_vllm"]["why"] == "grpo has finished no step whose prompts it could take"
    assert record["steps"]["rewriter_grpo"]["state"] == "done" and record["steps"]["eval"]["state"] == "not reached"
    assert verdicts(record)["every step runs"] == "fail"
    assert record["checks"][0]["why"] == "failed: grpo, float32"
    assert bench.check(plan=plan)["complete"] and bench.calls == ["grpo", PLAIN, FLOAT32, "eval"]


def test_a_process_that_will_not_end_is_ended(bench):
    begun = time.monotonic()
    plan = short(step("grpo", minutes=0.5), step("eval", minutes=9.5))
    record = bench.check({"grpo": {"step_s": 60, "deaf": True}}, plan=plan, minutes=0.4)
    assert record["steps"]["grpo"]["state"] == "stopped" and time.monotonic() - begun < 20
    assert not _processes(bench)


def _processes(bench: Bench) -> str:
    """Command lines of the stand-ins that work in this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "gpu_stand_in" in line and str(bench.folder) in line:
            found.append(line)
    return "\n".join(found)


DRIVER = """
import sys, time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from rl_align.pipeline.gpu_check.plan import make_plan
from rl_align.pipeline.gpu_check.machine import GPU
from rl_align.pipeline.gpu_check import run
run.SAVE_S = 0.05
gpu = GPU("NVIDIA H100", 80000, 3, "580")
plan = make_plan(Path({root!r}))
plan = replace(plan, steps=tuple(replace(step, needs=()) for step in plan.steps if step.name in {names!r}))
run.GPUCheck(plan, Path({folder!r}), minutes=10, began=time.time(), gpu=gpu, python={python!r}, grace_s=0.3).run()
"""


@pytest.mark.parametrize("targets", [("grpo",), pytest.param(("model", "grpo", "rewriter_grpo"), marks=pytest.mark.slow)], ids=len)
def test_killed_at_any_moment_the_record_is_whole_nothing_is_left_and_the_next_call_finishes(bench, targets):
    bench.script.write_text(json.dumps({name: {"step_s": 0.02} for name in ("sft", "grpo", "target", "rewriter_grpo", PLAIN)}))
    names = ["model", "sft", "grpo", PLAIN, "target", "rewriter_grpo"]
    code = DRIVER.format(root=str(ROOT), folder=str(bench.folder), python=STAND_IN, names=names)
    moments = random.Random(5)
    seen = set()
    for target in targets:
        process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            if bench.calls_file.is_file() and target in bench.calls:
                time.sleep(moments.random() * 0.2)
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        record = bench.record
        seen |= {step["state"] for step in record["steps"].values()}
        assert len(record["steps"]) == 6 and record["checks"]
        deadline = time.monotonic() + 5
        while _processes(bench) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not _processes(bench)
        bench.calls_file.write_text("")
    assert "running" in seen or "interrupted" in seen
    record = bench.check(plan=short(*map(step, names)))
    assert record["complete"], record["not_reached"]
    assert [row["step"] for row in measure.steps_of(bench.folder / "run", "grpo")] == list(range(1, 13))


def test_a_folder_of_another_check_is_refused_and_a_damaged_record_is_begun_anew(bench):
    bench.check(minutes=0.1)
    with pytest.raises(UserError, match="holds a small check, and this is a big one"):
        bench.check(plan=make_plan(ROOT, big=True))
    (bench.folder / "gpu_check.json").write_text('{"steps": ')
    assert bench.check(plan=short(step(PROBE)))["about"]["attempts"] == 1


def test_an_interrupted_check_records_it(bench):
    bench.script.write_text(json.dumps({"sft": {"step_s": 1}}))
    # A shell that starts the tests in its background has its children ignore interrupts.
    interruptible = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code = interruptible + DRIVER.format(root=str(ROOT), folder=str(bench.folder), python=STAND_IN, names=["sft"])
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (bench.calls_file.is_file() and "sft" in bench.calls):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) != 0
    assert bench.record["steps"]["sft"]["state"] == "interrupted" and not _processes(bench)


# -- arithmetic -----------------------------------------------------------------------------------------------------------------


def test_operations_of_an_update_by_hand():
    shapes = Shapes(parameters=0, text=1000, tower=100, merger=40, layers=3, width=16)
    assert update_flops(shapes, tokens=200, texts=10, pictures=0, patches_each=64) == 6 * 1000 * 200 + 6 * 3 * 16 * 200**2 / 10
    with_pictures = update_flops(shapes, tokens=200, texts=10, pictures=5, patches_each=64)
    assert with_pictures - update_flops(shapes, 200, 10, 0, 64) == 6 * (100 + 10) * 64 * 5
    assert update_flops(shapes, 0, 0, 0, 64) == 0


@pytest.mark.parametrize(("picture", "budget", "expected"), [(112, 112, 64), (448, 448, 1024), (448, 112, 64), (84, 112, 36)])
def test_patches_of_a_picture(picture, budget, expected):
    assert patches(picture, budget) == expected


def test_a_shared_picture_counts_once(tmp_path):
    folder = tmp_path / "run"
    gpu_stand_in.train(folder, "grpo", {"steps": 3})
    shapes = Shapes(parameters=1, text=0, tower=200_000_000_000, merger=0, layers=0, width=0)
    rows = measure.steps_of(folder, "grpo")
    each, shared = (measure.update(folder, rows, shapes, 1e15, 64, share)["mfu"] for share in (False, True))
    assert each == pytest.approx(4 * shared, rel=1e-3)


def test_only_the_last_of_a_step_that_was_done_again_counts(tmp_path):
    lines = [{"stage": "grpo", "step": 1, "x": 1}, {"stage": "sft", "step": 1}, {"stage": "grpo", "step": 1, "x": 2}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"stage": "gr')
    assert measure.steps_of(tmp_path, "grpo") == [lines[2]]


@pytest.mark.parametrize(
    ("values", "better"),
    [([0.1 * n for n in range(12)], True), ([1 - 0.1 * n for n in range(12)], False), ([0.5, 0.6] * 6, False), ([0.5] * 12, False)],
)
def test_a_curve_improves_when_its_end_stands_above_its_beginning(values, better):
    change = measure.improvement([[n, value] for n, value in enumerate(values)])
    check = checks._improves("x", change, "done")
    assert (check.verdict == "pass") is better


def test_few_steps_are_no_curve():
    assert measure.improvement([[n, n] for n in range(7)]) is None
    assert checks._improves("x", None, "stopped").verdict == "not reached"


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ({"ratio": 0.8, "mfu": 0.35, "share": 0.0299, "lowest": 0.9951}, ["pass", "pass", "pass", "pass"]),
        ({"ratio": 0.799, "mfu": 0.349, "share": 0.03, "lowest": 0.995}, ["fail", "fail", "fail", "fail"]),
        ({"ratio": None, "mfu": None, "share": None, "lowest": None}, ["not reached"] * 4),
    ],
)
def test_the_bars_of_the_big_check(numbers, expected):
    record = {
        "about": {"kind": "big"},
        "steps": {},
        "generation": {"ratio": numbers["ratio"]},
        "update": {"mfu": numbers["mfu"]},
        "weight_sync": {"share": numbers["share"]},
        "correlation": {"bfloat16": None if numbers["lowest"] is None else {"lowest": numbers["lowest"]}},
        "curves": {},
    }
    found = checks.judge(record, [step.name for step in make_plan(ROOT, big=True).steps])
    assert [check["verdict"] for check in found[1:5]] == expected
    assert "float32" not in " ".join(check["name"] for check in found)


def test_an_unknown_gpu_has_no_mfu_and_says_so():
    assert replace(H100, name="NVIDIA Frobnicator 9").peak is None
    names = ("NVIDIA H100 PCIe", "NVIDIA H200", "NVIDIA H20", "NVIDIA A100-SXM4-80GB", "NVIDIA L4", "NVIDIA L40S")
    assert [replace(H100, name=name).peak for name in names] == [7.56e14, 9.89e14, 1.48e14, 3.12e14, 1.21e14, 3.62e14]
    record = {"about": {"kind": "big"}, "steps": {"grpo": {"state": "done"}}, "generation": {}, "update": {"mfu": None}}
    record |= {"weight_sync": {}, "correlation": {}, "curves": {}}
    check = checks.judge(record, ["grpo"])[2]
    assert check["verdict"] == "not reached" and check["why"] == "the peak of this GPU is not known"


# -- the machine and the command ------------------------------------------------------------------------------------------------


def _nvidia_smi(folder: Path, body: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "nvidia-smi").write_text(f"#!{sys.executable} -S\nimport sys\n{body}\n")
    (folder / "nvidia-smi").chmod(0o755)


def test_the_gpu_and_its_memory_are_what_nvidia_smi_says(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    body = "print('NVIDIA H200, 143771, 2, 580.159.03' if 'name' in sys.argv[1] else '1234')"
    _nvidia_smi(tmp_path, body)
    assert find_gpu() == GPU("NVIDIA H200", 143771, 2, "580.159.03")
    with MemoryWatch(True, 0.01) as memory:
        time.sleep(0.3)
    assert memory.peak_mib == 1234
    with MemoryWatch(False) as memory:
        pass
    assert memory.peak_mib is None


@pytest.mark.parametrize("body", ["sys.exit(9)", "print('No devices were found'); sys.exit(6)", "print('')", "print('a, b')"])
def test_no_gpu_is_the_users_error(tmp_path, monkeypatch, body):
    monkeypatch.setenv("PATH", str(tmp_path))
    _nvidia_smi(tmp_path, body)
    with pytest.raises(UserError, match="no NVIDIA GPU was found"):
        find_gpu()


def _cli(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rl_align.cli", "gpu-check", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PATH": "/nowhere", **env})


def test_without_a_gpu_the_command_ends_with_one_line(tmp_path):
    done = _cli("--folder", str(tmp_path / "x"))
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "no NVIDIA GPU was found" in done.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--minutes", "0"], "--minutes"),
        (["--big", "--device", "cpu"], "--big needs a GPU"),
        (["--device", "tpu"], "--device"),
        (["--bigger"], "unknown argument --bigger"),
    ],
)
def test_bad_arguments_are_named(arguments, part, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["gpu-check", *arguments]) == 2
    error = capsys.readouterr().err
    assert part in error and error.count("\n") == 1


@pytest.mark.parametrize("options", [[], ["--big", "--minutes", "20"], ["--device", "cpu"]])
def test_a_dry_run_needs_the_standard_library_only_and_starts_nothing(tmp_path, options):
    code = "import sys; sys.argv[0] = 'x'; from rl_align.cli import main; sys.exit(main())"
    command = [sys.executable, "-S", "-c", code, "gpu-check", "--dry-run", "--folder", str(tmp_path / "x"), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={"PATH": "/nowhere"})
    assert done.returncode == 0, done.stderr
    plan = make_plan(ROOT, big="--big" in options, cpu="cpu" in options)
    assert all(f"  {step.name} " in done.stdout for step in plan.steps)
    shares = [float(line.split(" min")[0].split()[-1]) for line in done.stdout.splitlines() if " min " in line]
    assert sum(shares) == pytest.approx(20 if "--minutes" in options else plan.minutes, abs=1)
    assert not (tmp_path / "x").exists()


@pytest.mark.gpu
def test_the_whole_check_on_this_machines_gpu(tmp_path):
    if not shutil.which("nvidia-smi"):
        pytest.skip("needs an NVIDIA GPU")
    command = [sys.executable, "-m", "rl_align.cli", "gpu-check", "--folder", str(tmp_path / "check")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3600)
    record = json.loads((tmp_path / "check" / "gpu_check.json").read_bytes())
    assert record["complete"], (record["not_reached"], done.stdout[-3000:])
    assert "fail" not in verdicts(record).values(), record["checks"]


@pytest.mark.slow
@pytest.mark.engine
def test_the_same_code_runs_on_the_cpu_engine(tmp_path):
    """The whole check with a tiny model: every step runs, and the numbers of a CPU are recorded as reported only."""
    command = [sys.executable, "-m", "rl_align.cli", "gpu-check", "--device", "cpu", "--folder", str(tmp_path / "check")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3600)
    record = json.loads((tmp_path / "check" / "gpu_check.json").read_bytes())
    assert record["complete"], (record["not_reached"], done.stdout[-3000:])
    found = verdicts(record)
    assert found["every step runs"] == "pass" and found["generation beside plain vLLM"] == "reported"
    assert record["correlation"]["bfloat16"]["lowest"] > 0.99 and record["correlation"]["float32"]["lowest"] > 0.99
    assert record["generation"]["ratio"] > 0 and record["update"]["tflops_per_s"] > 0
    assert record["update"]["mfu"] is None and 0 < record["weight_sync"]["share"] < 1
