"""The command line: exit codes, one clear line for people, and settings wherever they stand."""

from __future__ import annotations

import json
import subprocess
import sys
import types

import pytest

from rl_align.cli import main
from rl_align.errors import EngineBusy, Stopped, UserError
from rl_align.pipeline.stages import Stage, StageFailed, run_stages
from rl_align.runfiles.ledger import Ledger
from rl_align.runfiles.manifest import seal

COMMANDS = ("run", "launch", "seeds", "data", "status", "report", "eval", "view", "reward", "guard", "synth", "doctor")
ACTIONS = (
    *(f"data {name}" for name in ("make", "sheet", "draw", "prepare", "validate", "stats", "show", "mix", "split")),
    *("bench data", "reward refusals", "reward calibrate-refusals", "guard serve", "guard ask"),
    *("synth msr-align", "synth rewriter"),
    *(f"launch {name}" for name in ("local", "ray", "slurm", "status", "logs", "cancel")),
)


@pytest.fixture
def script(monkeypatch):
    """Let `rl-align run` do what the test says: commands are looked up by name when they run."""

    def install(run):
        module = types.ModuleType("rl_align.pipeline.run")
        module.run = run
        monkeypatch.setitem(sys.modules, "rl_align.pipeline.run", module)

    return install


def _raise(error: BaseException):
    def run(*args, **kwargs):
        raise error

    return run


@pytest.mark.parametrize("command", [*COMMANDS, *ACTIONS])
def test_every_command_has_help_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*command.split(), "--help"])
    assert caught.value.code == 0
    assert f"example: rl-align {command}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["rn"], "invalid choice: 'rn'"),
        (["run"], "CONFIG"),
        (["run", "a.yaml", "--dryrun"], "--dryrun"),
        (["seeds", "a.yaml", "--n", "0"], "number from 1"),
        (["seeds", "a.yaml", "--n", "x"], "number from 1"),
        (["doctor", "extra"], "extra"),
        (["status", "/nonexistent"], "no run here"),
        (["data", "make", "pictograms", "tran=3"], "the nearest valid key is train"),
        (["data", "make", "pictograms", "train=many"], "expected int"),
        (["data", "make", "pictograms", "--config", "/nonexistent.yaml"], "no such file"),
        (["data", "make", "photographs"], "photographs"),
        (["reward", "refusals", "/nonexistent.jsonl", "out.jsonl"], "/nonexistent.jsonl: no such file"),
        (["reward", "calibrate-refusals", "/nonexistent"], "/nonexistent: no such folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, part, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert captured.err.startswith("rl-align: error: ") and part in captured.err


def test_no_arguments_show_help_and_exit_2(capsys):
    assert main([]) == 2
    out = capsys.readouterr().out
    assert all(command in out for command in COMMANDS)


def test_settings_and_flags_may_stand_in_any_order(script):
    calls = []
    script(lambda config, overrides, dry_run, only=None: calls.append((config, overrides, dry_run)))
    assert main(["run", "a.yaml", "seed=1", "--dry-run", "grpo.steps=2"]) == 0
    assert main(["run", "--debug", "a.yaml"]) == 0
    assert main(["run", "a.yaml", "note=-1 --x"]) == 0
    assert calls.pop(0) == ("a.yaml", ["seed=1", "grpo.steps=2"], True)
    assert calls == [("a.yaml", [], False), ("a.yaml", ["note=-1 --x"], False)]


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("bad row", where="a.parquet:3"), 2, "rl-align: error: a.parquet:3: bad row"),
        (EngineBusy("held by process 7"), 2, "rl-align: error: held by process 7"),
        (Stopped("stopped after step 3, as asked"), 75, "rl-align: stopped after step 3, as asked"),
        (KeyboardInterrupt(), 130, "rl-align: interrupted; run the same command again to continue"),
        (RuntimeError("first\nsecond"), 1, "rl-align: failed: RuntimeError: first; run it with --debug to see where"),
        (RuntimeError(), 1, "rl-align: failed: RuntimeError: no message; run it with --debug to see where"),
        (ModuleNotFoundError("no vllm", name="vllm.x"), 2, "rl-align: error: the package vllm.x is not installed"),
    ],
)
def test_every_failure_has_its_exit_code_and_no_traceback(script, capsys, error, code, line):
    script(_raise(error))
    assert main(["run", "a.yaml"]) == code
    captured = capsys.readouterr().err
    assert captured.startswith(line) and captured.count("\n") == 1


def test_debug_shows_where_an_error_comes_from(script, capsys):
    script(_raise(RuntimeError("deep")))
    assert main(["run", "a.yaml", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_failed_stage_names_its_traceback_in_the_run_folder(script, capsys, tmp_path):
    def fail():
        raise ValueError("broken")

    script(lambda *a, **k: run_stages(tmp_path, [Stage("sft", fail)], lambda line: None))
    assert main(["run", "a.yaml"]) == 1
    error = capsys.readouterr().err
    path = tmp_path / "stages" / "sft.traceback.txt"
    assert error == f"rl-align: stage sft failed: ValueError: broken; traceback in {path}\n"
    assert "in fail" in path.read_text()


def test_a_command_may_return_its_exit_code(script):
    script(lambda *a, **k: 1)
    assert main(["run", "a.yaml"]) == 1


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    code = "import sys; from rl_align.cli import main; sys.exit(main(['--help']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.wait()


def test_status_says_what_is_done_interrupted_and_committed(tmp_path, capsys):
    run_stages(tmp_path, [Stage("data", lambda: None)], lambda line: None)
    with pytest.raises(StageFailed):
        run_stages(tmp_path, [Stage("grpo", _raise(OSError("killed")))], lambda line: None)
    begun = tmp_path / "stages" / "grpo.begun.json"
    begun.write_text(json.dumps({**json.loads(begun.read_text()), "pid": 2**22 + 1}))
    for step in (1, 2, 2):
        Ledger(tmp_path / "ledger.jsonl").commit("grpo", step, ["a"])
    checkpoint = tmp_path / "checkpoints" / "grpo" / "global_step_2"
    checkpoint.mkdir(parents=True)
    (checkpoint / "model").write_text("m")
    seal(checkpoint)
    (tmp_path / "summary.json").write_text("{}")
    assert main(["status", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    steps = "grpo: 2 committed, the last is 2; 1 redone"
    for part in ("done         data", "interrupted  grpo", steps, "global_step_2", "summary.json"):
        assert part in out


def test_status_of_damaged_records_does_not_fail(tmp_path, capsys):
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "sft.begun.json").write_text("{")
    (tmp_path / "stages" / "data.json").write_text("[]")
    (tmp_path / "metrics.jsonl").write_text('{"reward/total": 0.5}\n{"torn')
    assert main(["status", str(tmp_path)]) == 0
    assert "interrupted  sft" in capsys.readouterr().out


def test_the_picture_sheet_is_written(tmp_path, capsys):
    pytest.importorskip("PIL")
    out = tmp_path / "sheet.png"
    assert main(["data", "sheet", "--out", str(out), "seed=3"]) == 0
    assert out.read_bytes().startswith(b"\x89PNG") and str(out) in capsys.readouterr().out


def test_sigterm_cleans_up_and_exits_143(tmp_path):
    """Lock: what a command started must be ended when a batch system ends the command."""
    code = (
        "import sys, types, time\nfrom rl_align.cli import main\n"
        "def run(*a, **k):\n    try:\n        print('up', flush=True)\n        time.sleep(30)\n"
        "    finally:\n        print('cleaned', flush=True)\n"
        "module = types.ModuleType('rl_align.pipeline.run')\nmodule.run = run\nsys.modules[module.__name__] = module\n"
        "sys.argv = ['rl-align', 'run', 'a.yaml']\nsys.exit(main())"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    process.terminate()
    assert process.communicate(timeout=20)[0] == "cleaned\n"
    assert process.returncode == 143


def test_the_command_is_installed_as_the_module_runs():
    command = [sys.executable, "-m", "rl_align.cli", "status", "/nonexistent"]
    result = subprocess.run(command, capture_output=True)
    assert result.returncode == 2 and result.stdout == b""
