"""Two devices on one machine: FSDP over two processes and two vLLM replicas learn what one device learns."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT, lines

from rl_align.runfiles.ledger import Ledger

pytestmark = [pytest.mark.engine, pytest.mark.slow]
CONFIG = ROOT / "experiments" / "pictograms" / "smoke.yaml"
CORRELATION = "training/rollout_actor_probs_pearson_corr"
SFT_STEPS, GRPO_STEPS = 20, 4


def ran(folder: Path, devices: int, run_command) -> dict[str, dict[int, dict]]:
    """Stage → step → metrics of a run on so many devices, from nothing."""
    overrides = [
        f"folder={folder}", f"engine.devices_per_node={devices}", "seats=[responder]", "evaluate=false", "pictograms.train=192",
        "pretrain.steps=0", "model.size=1m", f"sft.steps={SFT_STEPS}", f"sft.save_every={SFT_STEPS}",
        f"grpo.steps={GRPO_STEPS}", f"grpo.save_every={GRPO_STEPS}", "grpo.correlation_every=1", "grpo.max_response_tokens=48",
    ]  # fmt: skip
    process = run_command(CONFIG, overrides)
    assert process.wait(900) == 0, process.tail()
    found: dict[str, dict[int, dict]] = {}
    for row in lines(folder / "metrics.jsonl"):
        found.setdefault(row["stage"], {})[row["step"]] = row
    return found


def test_two_devices_learn_what_one_learns(tmp_path, run_command):
    one, two = (ran(tmp_path / f"on {n}", n, run_command) for n in (1, 2))

    assert sorted(one["sft"]) == sorted(two["sft"]) == list(range(1, SFT_STEPS + 1))
    for step, row in one["sft"].items():
        assert two["sft"][step]["loss/train"] == pytest.approx(row["loss/train"], rel=0.001), f"SFT, step {step}"
        assert two["sft"][step]["actor/grad_norm"] == pytest.approx(row["actor/grad_norm"], rel=0.01), f"SFT, step {step}"
    assert one["sft"][SFT_STEPS]["loss/train"] < 0.8 * one["sft"][1]["loss/train"], "nothing was learnt that could differ"

    ledgers = [Ledger(tmp_path / f"on {n}" / "ledger.jsonl") for n in (1, 2)]
    for stage in ("sft", "grpo"):
        first, second = (ledger.clean(stage) for ledger in ledgers)
        assert {step: sorted(items) for step, items in first.items()} == {step: sorted(items) for step, items in second.items()}

    # A request's seed decides what is sampled, so rollouts differ where rounding tips a draw only.
    assert sorted(two["grpo"]) == list(range(1, GRPO_STEPS + 1))
    for step, row in two["grpo"].items():
        assert row["credit/rows"] == one["grpo"][step]["credit/rows"]
        assert row[CORRELATION] > 0.99, (step, row[CORRELATION])
        assert abs(row["reward/total"] - one["grpo"][step]["reward/total"]) < 0.1
    texts = [row["text"] for row in lines(tmp_path / "on 2" / "rollouts" / "step_00001.jsonl")]
    assert len(set(texts)) > len(texts) // 4, "replicas sample alike: they share a seed"
