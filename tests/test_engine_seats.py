"""Rewriter and co-training on the real engine: in front of a served target, in rounds, and one model in both seats."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from conftest import ROOT, lines

from rl_align.runfiles.ledger import Ledger

pytestmark = [pytest.mark.slow, pytest.mark.engine]
FOLDER = ROOT / "experiments" / "pictograms"
CORRELATION = "training/rollout_actor_probs_pearson_corr"
SMALL = [
    "pictograms.train=200", "pictograms.neighbours=42", "pictograms.validation=32", "pictograms.heldout_harmful=8",
    "pictograms.heldout_benign=8", "model.size=1m", "pretrain.steps=0", "sft.steps=40", "sft.save_every=20",
    "grpo.prompts_per_step=8", "grpo.rollouts_per_prompt=4", "grpo.micro_batch_size=32", "grpo.save_every=1",
    "grpo.correlation_every=1", "rewriter.sft.steps=40", "rewriter.sft.save_every=20", "rewriter.grpo.prompts_per_step=8",
    "rewriter.grpo.rollouts_per_prompt=4", "rewriter.grpo.micro_batch_size=32", "rewriter.grpo.save_every=1",
    "rewriter.grpo.correlation_every=1", "rewriter.reward.format_gate=false", "rewriter.reward.truncated=score",
    "reward.format_gate=false", "reward.truncated=score", "reward.composition=weighted", "eval.sampled=false",
]  # fmt: skip


def steps(folder, stage: str) -> dict[int, dict]:
    return {row["step"]: row for row in lines(folder / "metrics.jsonl") if row["stage"] == stage}


def test_rounds_of_rewriter_and_responder_each_in_front_of_the_other(tmp_path, run_command):
    folder = tmp_path / "run"
    more = ["cotrain.rounds=1", "cotrain.rewriter_steps=2", "cotrain.responder_steps=2", "panel.canaries_every=1"]
    command = [FOLDER / "cotrain_alternate.yaml", [f"folder={folder}", *SMALL, *more]]
    run = run_command(*command)
    assert run.wait(900) == 0, run.tail()
    for stage, seat in (("rewriter_round_1", "rewriter"), ("responder_round_1", "responder")):
        taken = steps(folder, stage)
        assert sorted(taken) == [1, 2] and all(row[CORRELATION] > 0.99 for row in taken.values())
        assert all(row["credit/optimizer_steps"] == 1 and row["credit/rows"] == 32 for row in taken.values())
        rollouts = lines(folder / "rollouts" / stage / "step_00001.jsonl")
        assert {row["seat"] for row in rollouts} == {seat}
    told = steps(folder, "rewriter_round_1")[1]
    assert {"panel/target/before/benign", "panel/rewrite/kept_words/benign", "panel/canary/erased", "panel/truth"} <= set(told)
    record = json.loads((folder / "stages" / "responder_round_1.json").read_text())
    assert set(record["inputs"]) == {"models/sft", "data/rows_round_1.parquet"}, "where a model comes from is on record"
    matrix = json.loads((folder / "summary.json").read_text())["matrix"]
    assert set(matrix) == {"sft", "round 1"} and set(matrix["sft"]) == {"none", "sft", "round 1"}
    again = run_command(*command)
    assert again.wait(120) == 0 and "started" not in again.tail().replace("run folder", ""), again.tail()


def test_one_model_in_both_seats_killed_and_resumed(tmp_path, run_command):
    folder = tmp_path / "run"
    more = [
        "cotrain.steps=3", "cotrain.sft.steps=60", "cotrain.sft.save_every=30",
        "cotrain.episode={originals: 2, rewrites: 2, answers: 2}", "grpo.max_response_tokens=96",
    ]  # fmt: skip
    command = [FOLDER / "cotrain_shared.yaml", [f"folder={folder}", *SMALL, *more]]
    first = run_command(*command)
    assert first.kill_when(lambda: len(Ledger(folder / "ledger.jsonl").entries("shared")) >= 2, 600), first.tail()
    second = run_command(*command)
    assert second.wait(600) == 0, second.tail()
    taken = steps(folder, "shared")
    assert sorted(taken) == [1, 2, 3]
    for row in taken.values():
        assert row[CORRELATION] > 0.99 and row["credit/optimizer_steps"] == 1
    rollouts = lines(folder / "rollouts" / "shared" / "step_00003.jsonl")
    seats = Counter(row["seat"] for row in rollouts)
    assert seats["rewriter"] == 2 * 4 and seats["responder"] >= 2 * 4, "four prompts a step, two rewrites and two answers each"
    assert set(json.loads((folder / "summary.json").read_text())["matrix"]) == {"shared_sft", "shared"}
