"""Sweeps: a queue of trials that is killed, resumed and stopped; failures apart; successive halving. Runs are stand-ins.

1. Twelve trials, killed with everything that they had started and resumed, give the same table as an uninterrupted sweep.
2. A trial is done once, and continued from its checkpoint.
3. A failed trial stands apart with its cause, and runs again only when that is asked for.
4. A sweep that is asked to stop lets its trials finish their step.
5. Successive halving stops what falls behind by a request, and a resumed sweep decides nothing again.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading

import pytest
from conftest import ROOT
from sweeping import Bench, until

from rl_align.cli import main
from rl_align.errors import EngineBusy, Stopped, UserError
from rl_align.launch import local, plan
from rl_align.runfiles import stop
from rl_align.runfiles.ledger import Ledger
from rl_align.runfiles.lock import engine_lock
from rl_align.sweep.asha import JOURNAL, Asha
from rl_align.sweep.config import AshaConfig
from rl_align.sweep.run import _address, sweep
from rl_align.sweep.standing import begin

TWELVE = """
seeds: 2
concurrency: 2
space:
  gain: {values: [0, 0.5, 1.0]}
  kind: {values: [even, odd]}
logged: {reward: reward/total}
"""
THREE = "space: {gain: {values: [0, 0.5, 1.0]}}\n"


@pytest.fixture(autouse=True)
def _import_path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Bench:
    """Twelve trials without an interruption."""
    bench = Bench(tmp_path_factory.mktemp("whole"), TWELVE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        assert bench.run() == 0 and bench.attempts() == [1] * 12
    return bench


def test_twelve_trials_killed_and_resumed_give_the_same_table(tmp_path, whole):
    killed = Bench(tmp_path / "killed", TWELVE)
    killed.kill_when(killed.start("settings=[step_s=0.1]"), lambda: killed.done() >= 4)
    assert killed.done() < 12
    assert killed.run("settings=[step_s=0.1]") == 0
    assert killed.files() == whole.files()
    assert sum(killed.attempts()) <= 12 + 2, "what was done ran again"
    for number in range(1, 13):
        ledger = Ledger(killed.folder(number) / "ledger.jsonl")
        assert sorted(ledger.clean("train")) == [1, 2, 3]
    again = killed.files(), killed.attempts()
    assert killed.run("settings=[step_s=0.1]") == 0 and (killed.files(), killed.attempts()) == again


def test_the_table_says_what_was_reached_and_what_mattered(whole):
    found = whole.result()
    best = found["points"][0]
    assert best["point"] == {"gain": 1.0, "kind": "even"}, "the best first"
    cell = best["sections"]["held"]["over_refusal"]
    assert (cell["mean"], cell["sd"], cell["n"]) == (pytest.approx(0.405), pytest.approx(0.00707, abs=1e-4), 2)
    effects = {(e["section"], e["metric"], e["axis"]): e for e in found["effects"]}
    gain, kind = effects["held", "over_refusal", "gain"], effects["held", "over_refusal", "kind"]
    assert gain["range"] == pytest.approx(0.1) and gain["rho"] < 0 and gain["noise"] == pytest.approx(0, abs=1e-9)
    assert kind["range"] == pytest.approx(0.1) and kind["rho"] is None
    assert effects["training", "reward", "gain"]["rho"] == pytest.approx(1.0)
    text = (whole.root / "sweep.md").read_text()
    assert "| 1.0 | even | 2 | 5.0 ± 0.0 | 40.5 ± 0.7 | 45.5 ± 0.7 |" in text
    assert "0: 55.5 ± 5.8; 0.5: 50.5 ± 5.8; 1.0: 45.5 ± 5.8 | 10.0 | 0.0 |" in text
    head, first, *_ = (whole.root / "sweep.csv").read_text().splitlines()
    assert head.startswith("gain,kind,held/attack_success,") and first.startswith("1.0,even,")


def test_a_failure_stands_apart_and_runs_again_only_when_asked(tmp_path):
    bench = Bench(tmp_path, "space: {fail_at: {values: [0, 2]}}\n")
    assert bench.run() == 1
    result = bench.result()
    assert result["trials"]["done"] == result["trials"]["failed"] == len(result["points"]) == 1
    (failed,) = result["apart"]
    cause = f"RuntimeError: this step fails; traceback in {bench.folder(2) / 'stages' / 'train.traceback.txt'}"
    assert failed["standing"] == "failed" and failed["note"] == f"exit code 1: stage train failed: {cause}"
    assert "## Failed (1)" in (bench.root / "sweep.md").read_text().replace("\\", "")
    assert "1 failed (--retry-failed runs them again)" in bench.lines[-1]
    assert bench.run() == 1 and bench.attempts() == [1, 1], "it was not asked for"
    assert bench.run(retry_failed=True) == 1 and bench.attempts() == [1, 2]


def test_other_settings_run_again_and_new_values_leave_the_old_ones_done(tmp_path):
    bench = Bench(tmp_path, "space: {gain: {values: [0, 1.0]}}\n")
    assert bench.run() == 0
    assert bench.run("space={gain: {values: [0, 1.0, 2.0]}}") == 0
    assert bench.attempts() == [1, 1] and bench.done() == 3
    assert bench.run("settings=[step_s=0]") == 0 and bench.attempts() == [2, 2]


def test_asked_to_stop_its_trials_finish_their_step(tmp_path):
    bench = Bench(tmp_path, THREE + "concurrency: 2\nsettings: [hold_at=2]\n")

    def ask() -> None:
        until(lambda: len(list(bench.root.glob("trials/*/ledger.jsonl"))) == 2)
        os.kill(os.getpid(), signal.SIGUSR1)

    asking = threading.Thread(target=ask)
    asking.start()
    with pytest.raises(Stopped, match="the sweep stopped, as asked"):
        bench.run()
    asking.join()
    assert bench.attempts() == [1, 1, 0] and bench.done() == 0
    assert bench.result()["trials"] | {"failed": 0} == {
        "waiting": 1, "running": 0, "done": 0, "stopped": 0, "interrupted": 2, "failed": 0,
    }  # fmt: skip
    stop.request(bench.root, "it was left by a sweep that did not live to see it")
    assert bench.run("settings=[hold_at=0]") == 0


@pytest.mark.parametrize("same", [True, False])
def test_a_trial_that_still_runs_is_waited_for_and_not_begun_twice(same, tmp_path):
    bench = Bench(tmp_path, "space: {gain: {values: [0, 1.0]}}\n")
    planned = bench.planned()
    trial = planned.trials[0]
    made = plan.make(planned.experiment, [*planned.settings(trial), "step_s=0.2", *planned.job_settings(trial)])
    begin(made.folder, planned.hashes[trial.name] if same else "other settings", [])
    process, _ = local.start(made)
    assert bench.run() == 0 and "1 running, 1 to go" in bench.lines[0]
    process.wait()
    assert bench.attempts() == [1 if same else 2, 1], "what was made with other settings is made again"


#: The number of the draw is one with which a good one comes first; the others hold until they are asked to stop.
ASHA = """
method: asha
trials: 3
draw_seed: 0
space:
  way:
    choices:
      good: [gain=1]
      bad: [gain=0.5, hold_at=6]
      worse: [gain=0, hold_at=6]
asha: {metric: reward/total, grace: 2, reduction: 2, steps: 10}
"""


def test_what_falls_behind_is_stopped_after_its_step_and_stays_so(tmp_path):
    bench = Bench(tmp_path, ASHA, steps=10)
    first, *others = bench.planned().trials
    assert first.point == {"way": "good"}
    assert bench.run() == 0
    result = bench.result()
    assert result["trials"]["stopped"] == 2 and result["trials"]["done"] == 1
    assert {entry["trial"] for entry in result["apart"]} == {trial.name for trial in others}
    assert result["apart"][0]["note"].endswith(" after 2 steps")
    for trial in others:
        folder = bench.planned().folder(trial)
        assert not (folder / "summary.json").exists() and list(folder.glob("checkpoints/train/*/state")), "it did not save its step"
    effect = next(e for e in result["effects"] if e["section"] == "all trials after 2 steps")
    assert sum(group["n"] for group in effect["groups"]) == 3 and effect["range"] == pytest.approx(1.0)
    written = (bench.root / "sweep.md").read_bytes()
    assert bench.run() == 0
    assert bench.attempts() == [1] * 3 and (bench.root / "sweep.md").read_bytes() == written


def test_halving_is_decided_at_rungs_and_once(tmp_path):
    """Four runs whose logs are there: at each rung the better half goes on, also for one that reads the journal."""
    cfg = AshaConfig(metric="m", grace=2, reduction=2)

    def log(name: str, level: float, steps: int) -> None:
        (tmp_path / name).mkdir(exist_ok=True)
        rows = [{"stage": "grpo", "step": k, "m": level} for k in range(1, steps + 1)]
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def behind(asha: Asha, name: str, seed: int = 0) -> bool:
        return asha.falls_behind(name, seed, tmp_path / name, done=True)

    hashes = dict.fromkeys("abcdefg", "made with")
    asha = Asha(cfg, "grpo", 8, tmp_path, hashes)
    assert asha.rungs == [2, 4], "the last step is no rung"
    levels = {"a": 0.5, "b": 0.9, "c": 0.1, "d": 0.8}
    for name, level in levels.items():
        log(name, level, 1)
        assert not behind(asha, name)
        log(name, level, 3)
        assert not asha.falls_behind(name, 0, tmp_path / name) and not asha.reached(name), "its stage has not begun"
    assert [behind(asha, name) for name in levels] == [False, False, True, False]
    assert asha.stopped_at("c") == 2 and asha.reached("c") == {2: 0.1}
    log("e", 0.0, 2)
    assert not behind(asha, "e", seed=1), "another seed competes with its own"
    again = Asha(cfg, "grpo", 8, tmp_path, hashes)
    assert again.stopped_at("c") == 2
    log("f", 0.3, 2)
    assert behind(again, "f"), "it does not remember the others"
    assert len((tmp_path / JOURNAL).read_text().splitlines()) == 6
    log("g", float("nan"), 2)
    assert not behind(again, "g") and again.reached("g") == {2: None}
    with pytest.raises(UserError, match="fewer than 2"):
        Asha(cfg, "grpo", 2, tmp_path, hashes)
    assert Asha(cfg, "grpo", 8, tmp_path, hashes | {"c": "others"}).stopped_at("c") is None, "with other settings it starts anew"


def test_what_cannot_work_is_said_before_anything_runs(tmp_path):
    bench = Bench(tmp_path, THREE)
    with pytest.raises(UserError, match="two sweeps would share it"):
        sweep([bench.config, bench.config], bench.job)
    with pytest.raises(UserError, match="asha.steps: no value"):
        bench.run("method=asha", "trials=2")
    with pytest.raises(UserError, match="no such file"):
        bench.run("experiment=nowhere.yaml")
    with engine_lock("a test", _address(bench.root)), pytest.raises(EngineBusy):
        bench.run()
    assert not bench.root.exists()


def test_a_machine_whose_engine_is_taken_fails_no_trial(tmp_path):
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(engine_lock("a test"))
        except EngineBusy:
            pytest.skip("another engine run holds this machine")
        with pytest.raises(EngineBusy, match="a test"):
            sweep([ROOT / "experiments" / "sweeps" / "kl.yaml"], [f"folder={tmp_path}"])
    assert not list(tmp_path.glob("trials/*"))


def test_the_command_takes_files_settings_and_options_in_any_order(tmp_path, capsys):
    one, two = Bench(tmp_path / "one", THREE), Bench(tmp_path / "two", THREE)
    files = [str(one.config), "seed=3", *one.job]
    assert main(["sweep", *files[:1], str(two.config), "--dry-run", *files[1:], "concurrency=2"]) == 0
    said = capsys.readouterr().out
    assert said.count("3 trials in") == 2 and said.count("2 at once") == 2 and "seed 3  gain=0.5" in said
    assert main(["sweep", "seed=3"]) == 2 and "no configuration" in capsys.readouterr().err
    assert not one.root.exists()
