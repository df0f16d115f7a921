"""Stopping on request: verl's own training loop with our trainer in it, then the engine for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from conftest import ROOT, lines

from rl_align.engine import env
from rl_align.engine.config import EngineConfig
from rl_align.runfiles import stop
from rl_align.runfiles.ledger import Ledger
from rl_align.runfiles.manifest import numbered_folders, verify

pytestmark = pytest.mark.engine
CONFIG = ROOT / "experiments" / "pictograms" / "smoke.yaml"

#: verl's `fit` as it is; what a step would do on devices is left out, and checkpoints are only noted.
LOOP = """
import sys, types
from pathlib import Path
from omegaconf import OmegaConf
from verl.trainer.ppo.v1 import trainer_base, trainer_sync
from rl_align.engine.trainer import Trainer
from rl_align.runfiles import stop

folder = Path(sys.argv[1])

class Record:
    def ready(self): pass
    def log(self, data, step):
        taken.append(step)
        if step == ask_at:
            stop.request(folder, "a test")
        self.after_log(step)

class Loop(Trainer):
    def _testify(self): pass
    def __init__(self):
        self.settings = OmegaConf.create({"folder": str(folder)})
        self.config = OmegaConf.create({
            "trainer": {"project_name": "p", "experiment_name": "e", "logger": [], "val_before_train": False, "total_epochs": 9,
                        "save_freq": 4, "test_freq": -1},
            "global_profiler": {"steps": None}, "actor_rollout_ref": {"rollout": {"skip": {"enable": False}}},
        })
        self.total_training_steps, self.global_steps, self.steps_per_epoch = 6, 0, 100
        self.record, self.last_step, self._folder, self._save_due, self._bypass = Record(), 0, folder, False, False
    def step(self, metrics, timing_raw): return types.SimpleNamespace(keys=[], partition_id="train")
    def on_step_begin(self): pass
    def on_step_end(self): pass

for name in ("_reissue_inflight_prompts", "_start_profiling", "_stop_profiling", "_compute_metrics", "_consume_sync_metrics",
             "_shutdown_dump_executor"):
    setattr(Loop, name, lambda self, *a, **k: {})
trainer_base.tq = types.SimpleNamespace(kv_clear=lambda **k: None)
trainer_base.SkipManager = types.SimpleNamespace(init=lambda c: None, set_step=lambda s: None)
trainer_base.Tracking = trainer_base.ValidationGenerationsLogger = lambda **k: None
trainer_base.DapoFilteredRewardTableLogger = lambda **k: None
trainer_sync.PPOTrainerSync._save_checkpoint = lambda self: saved.append(self.global_steps)

for ask_at in map(int, sys.argv[2:]):
    saved, taken = [], []
    stop.forget(folder)
    if ask_at == 0:
        stop.request(folder, "a test")
    loop = Loop()
    loop.fit(None)
    print("RESULT", taken, saved, loop.last_step)
"""


def test_verls_loop_ends_after_the_step_that_it_is_asked_in(tmp_path):
    """Lock: the trainer ends verl's loop by lowering `total_training_steps`, and saves the step once, after its record."""
    expected = {
        99: ([1, 2, 3, 4, 5, 6], [4, 6]),  # nobody asks
        3: ([1, 2, 3], [3]),
        4: ([1, 2, 3, 4], [4]),  # a step that saves anyway saves once
        6: ([1, 2, 3, 4, 5, 6], [4, 6]),  # the last one is not stopped any more
        0: ([], []),  # asked before the first step: there is nothing to save
    }
    variables = {**os.environ, **env.variables(EngineConfig()), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", LOOP, str(tmp_path), *map(str, expected)]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    results = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert results == [f"RESULT {taken} {saved} {len(taken)}" for taken, saved in expected.values()]


def test_verls_sft_loop_looks_at_its_last_step_after_every_step():
    """Lock: `engine/sft.py` ends it by setting `total_training_steps` within `train_batch`; verl then saves, and returns."""
    code = "import inspect; from verl.trainer.sft_trainer import SFTTrainer; print(inspect.getsource(SFTTrainer.fit))"
    variables = {**os.environ, **env.variables(EngineConfig()), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=300)
    taken = done.stdout.index("self.training_client.train_batch(")
    last = done.stdout.index("is_last_step = global_step >= self.total_training_steps")
    saved = done.stdout.index("if is_last_step or (self.save_freq > 0")
    assert taken < last < saved < done.stdout.rindex("return")


@pytest.mark.slow
def test_a_run_that_is_asked_to_stop_takes_no_step_twice(tmp_path, run_command):
    """SFT asked by SIGUSR1, GRPO by SIGTERM; checkpoints are due at the end only, so the ones found are those of the stops."""
    folder = tmp_path / "run"
    overrides = [
        f"folder={folder}", "seats=[responder]", "evaluate=false", "pictograms.train=96", "pretrain.steps=0", "model.size=1m",
        "sft.steps=60", "sft.save_every=1000", "grpo.steps=4", "grpo.save_every=1000", "grpo.max_response_tokens=48",
    ]  # fmt: skip
    ledger = folder / "ledger.jsonl"

    def stopped(stage: str, number: int) -> int:
        command = run_command(CONFIG, overrides)
        while not Ledger(ledger).clean(stage):
            assert command.process.poll() is None, command.tail()
        command.process.send_signal(number)
        assert command.wait(300) == stop.AGAIN, command.tail()
        taken = max(Ledger(ledger).clean(stage))
        assert f"stopped after step {taken} of" in command.tail() and not stop.requested(folder)
        (checkpoint,) = numbered_folders(folder / "checkpoints" / stage)
        assert checkpoint.name == f"global_step_{taken}" and verify(checkpoint) == []
        return taken

    assert stopped("sft", signal.SIGUSR1) < 60
    assert stopped("grpo", signal.SIGTERM) < 4
    last = run_command(CONFIG, overrides)
    assert last.wait(600) == 0, last.tail()
    assert not any(entry.redone for entry in Ledger(ledger).entries())
    assert sorted(Ledger(ledger).clean("sft")) == list(range(1, 61))
    assert [row["step"] for row in lines(folder / "metrics.jsonl") if row["stage"] == "grpo"] == [1, 2, 3, 4]
