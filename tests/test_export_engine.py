"""LoRA and export on the real engine: an adapter is warm-started, trained by GRPO, exported, and says the same everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT, lines

from rl_align.engine.witness import WITNESS
from rl_align.runfiles.manifest import read_manifest, verify

pytestmark = [pytest.mark.engine, pytest.mark.slow]
CONFIG = ROOT / "experiments" / "pictograms" / "smoke.yaml"
CORRELATION = "training/rollout_actor_probs_pearson_corr"


def export(*arguments: object) -> str:
    command = [sys.executable, "-m", "rl_align.cli", "export", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout[-1000:] + result.stderr[-1000:]
    return result.stdout


def test_an_adapter_is_trained_exported_and_says_the_same_in_transformers_and_vllm(tmp_path, run_command):
    from safetensors.torch import load_file

    folder = tmp_path / "run"
    overrides = [
        f"folder={folder}", "seats=[responder]", "evaluate=false", "pictograms.train=96", "pretrain.steps=0", "model.size=1m",
        "sft.steps=6", "sft.save_every=3", "sft.lora.rank=4", "sft.lora.alpha=8",
        "grpo.steps=2", "grpo.save_every=1", "grpo.correlation_every=1", "grpo.max_response_tokens=48",
        "grpo.lora.rank=4", "grpo.lora.alpha=8", "grpo.learning_rate=0.003", "grpo.warmup_steps=1",
        # Nothing that this model writes earns anything; the bonus teaches it all the same, and the term asks for a reference.
        "grpo.entropy_coef=0.05", "grpo.kl_coef=0.01",
    ]  # fmt: skip
    command = run_command(CONFIG, overrides)
    assert command.wait(600) == 0, command.tail()

    metrics = [row for row in lines(folder / "metrics.jsonl") if row["stage"] == "grpo"]
    assert [row["step"] for row in metrics] == [1, 2]
    assert all(row[CORRELATION] > 0.99 for row in metrics), "vLLM samples with other weights than the adapter's sum"
    checkpoint = folder / "checkpoints" / "grpo" / "global_step_2"
    assert verify(checkpoint) == [] and (checkpoint / WITNESS).is_file()
    assert not list((checkpoint / "actor" / "huggingface").glob("*.safetensors")), "the checkpoint holds a whole model"
    for before, after in (("base", "sft"), ("sft", "grpo")):
        old, new = (load_file(folder / "models" / name / "model.safetensors") for name in (before, after))
        changed = {name for name in old if not (old[name].float() == new[name].float()).all()}
        assert changed and not any("visual" in name for name in changed), "the tower is frozen, the rest learns"

    told = export(folder, "--to", tmp_path / "merged")
    assert "transformers: loads; " in told and "vLLM: loads; " in told
    checks = read_manifest(tmp_path / "merged")["meta"]["verified"]["by"]
    assert checks["transformers"]["against"] == checks["vLLM"]["against"] == "the trainer"
    assert json.loads((folder / "models" / "grpo" / WITNESS).read_text())["step"] == 2

    told = export(folder, "--to", tmp_path / "kept", "--keep-adapter")
    assert "vLLM: loads; " in told and (tmp_path / "kept" / "adapter_config.json").is_file()

    again = run_command(CONFIG, overrides)
    assert again.wait(120) == 0
    assert again.tail().count("skipped, unchanged") == 5, again.tail()
