"""Judges on the real engine: asked over HTTP while the policy samples; the panel reads them; an outage stops the run."""

from __future__ import annotations

import json

import pytest
from conftest import ROOT, lines

from rl_align.endpoints.chaos import Chaos
from rl_align.endpoints.fake import Fake, Script

pytestmark = [pytest.mark.slow, pytest.mark.engine]
CONFIG = ROOT / "experiments" / "pictograms" / "smoke.yaml"


def _overrides(folder, fake: Fake) -> list[str]:
    return [
        f"folder={folder}", "seats=[responder]", "evaluate=false", "pictograms.train=96", "pretrain.steps=0", "model.size=1m",
        "sft.steps=150", "sft.save_every=150", "grpo.steps=2", "grpo.max_response_tokens=96",
        "reward.truncated=score", "reward.format_gate=false", "panel.canaries_every=1",
        "reward.composition=weighted", "judges.judges={refusal: {min_calls: 10}}",
        f"judge_endpoint.base_url={fake.base_url}", "judge_endpoint.model=fake", "judge_endpoint.attempts=1",
    ]  # fmt: skip


def test_a_judge_scores_beside_the_rules_and_an_outage_stops_the_run(tmp_path, run_command):
    folder = tmp_path / "run"
    said = {"reason": "r", "verdict": "right"}
    with Fake(Script(answer=lambda _: json.dumps(said))) as fake:
        run = run_command(CONFIG, _overrides(folder, fake))
        assert run.wait(400) == 0, run.tail()
        assert fake.counts["requests"] > 0
    steps = [row for row in lines(folder / "metrics.jsonl") if row["stage"] == "grpo"]
    assert len(steps) == 2
    for step in steps:
        assert step["reward/judge_refusal/responder"] >= 0 and step["panel/canary/empty"] is not None
        assert {"panel/truth_gap", "panel/duplicates"} <= set(step)
    rollouts = lines(folder / "rollouts" / "step_00001.jsonl")
    assert all("refusal" in row["judges"] and 0 <= row["truth"] <= 1 for row in rollouts)
    assert not any("judge.key" in path.read_text(errors="ignore") for path in folder.glob("*.jsonl"))

    with Fake(Script(chaos=Chaos(server_error=1.0))) as fake:
        gone = run_command(CONFIG, [*_overrides(folder, fake), "grpo.learning_rate=1e-5"])  # GRPO begins anew
        assert gone.wait(400) == 1
    assert "judge refusal:" in gone.tail() and "server" in gone.tail()
