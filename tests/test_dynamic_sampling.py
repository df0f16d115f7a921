"""Dynamic sampling on the real engine: a custom sampler silently switches verl's off, so ours is watched at work."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT, lines

pytestmark = [pytest.mark.slow, pytest.mark.engine]

_TRAIN = """
import json, sys
from pathlib import Path
from reward.panel import PanelConfig
from rl_align.engine import bench, grpo
from rl_align.engine.config import EngineConfig, GRPOConfig
from rl_align.models.config import ModelConfig
from rl_align.models.tiny import build
from rl_align.runfiles.lock import engine_lock
folder, dynamic = Path(sys.argv[1]), sys.argv[2] == "on"
model = build(ModelConfig(size="1m", vocab_size=512), folder / "model", bench.CORPUS)
bench.write_rows(folder / "train.parquet", 64, 84)
config = GRPOConfig(steps=2, prompts_per_step=8, rollouts_per_prompt=4, micro_batch_size=32, max_response_tokens=16,
    max_prompt_tokens=64, save_every=-1, dynamic_sampling=dynamic)
with engine_lock(str(folder)):
    grpo.run(EngineConfig(rollout_threads=1), config, model=model, train_file=folder / "train.parquet", folder=folder,
        resume_from=None, scorer="rl_align.engine.bench:letter_share", scorer_settings={"flat_every": 2},
        weights={"letter": 1.0}, name="dynamic", panel=PanelConfig(canaries_every=0))
"""


def _steps(folder, dynamic: str) -> list[dict]:
    folder.mkdir()
    command = [sys.executable, "-c", _TRAIN, str(folder), dynamic]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=400, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return lines(folder / "metrics.jsonl")


def test_groups_without_signal_are_replaced_before_the_update(tmp_path):
    off, on = _steps(tmp_path / "off", "off"), _steps(tmp_path / "on", "on")
    assert any(step["credit/flat_groups"] > 0 for step in off), "the scorer must make flat groups, or this proves nothing"
    assert [step["credit/flat_groups"] for step in on] == [0, 0]
    assert [step["credit/rows"] for step in on] == [32, 32], "batches are full all the same"
    trained = {json.loads(line)["item_id"] for path in (tmp_path / "on" / "rollouts").glob("*.jsonl") for line in path.open()}
    assert all(int(item.rpartition("-")[2]) % 2 for item in trained)
