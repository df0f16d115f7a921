"""`rl-align synth rewriter` end to end, the balance of rows, and what the funnel and the proof say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from synthesising import Models, rewritten, setting, world
from test_synthesis import lines, results, summary, synth

from rl_align.endpoints.fake import Fake, Script
from rl_align.synthesis.balance import by_category, by_help
from rl_align.synthesis.config import BalanceConfig
from rl_align.transcript.prompts import REWRITER_SYSTEM

ITEMS = [i for i in world(60) if not i.truth["words"]][:40]
HARMFUL = [i for i in ITEMS if i.harmful]
BENIGN = [i for i in ITEMS if not i.harmful]
FALLS = {
    "missed": ("rules", "threat_missed"),
    "refusal": ("rules", "refusal_as_rewrite"),
    "topic": ("rules", "off_topic"),
    "unchanged": ("rules", "unchanged"),
    "false_alarm": ("rules", "false_alarm"),
    "changed": ("rules", "request_changed"),
}
PLANTED = {
    **{HARMFUL[k].id: kind for k, kind in enumerate(["missed", "refusal", "topic", "unchanged"])},
    **{BENIGN[k].id: kind for k, kind in enumerate(["false_alarm", "changed"])},
}
ERRORS = {i: [kind] for i, kind in PLANTED.items()}


@pytest.mark.parametrize("prompt", ["bare", "staged"])
def test_every_mistake_falls_before_target_and_judge_are_paid_and_the_rest_is_proved(tmp_path, prompt, capsys):
    models = Models(ITEMS, ERRORS, rewriting=True)
    with Fake(Script(answer=models)) as fake:
        arguments = setting(fake.base_url, tmp_path, ITEMS, target="yes")
        assert synth(tmp_path / "out", arguments, "attempts=1", f"prompt={prompt}", action="rewriter") == 0
    told = {row["item"]: (row["stage"], row["reason"]) for row in lines(tmp_path / "out" / "rejected.jsonl")}
    # A staged generator is not asked about the threat of a harmless request: it cannot raise a false alarm.
    planted = {i: FALLS[kind] for i, kind in PLANTED.items() if prompt == "bare" or kind != "false_alarm"}
    assert told == planted
    kept = [i for i in ITEMS if i.id not in planted]
    rows = pq.read_table(tmp_path / "out" / "rows.parquet").to_pylist()
    assert [row["item_id"] for row in rows] == [i.id for i in kept]
    written = {row["item_id"]: row["messages"][-1]["content"] for row in rows}
    for item in kept:
        # Of a harmless request a staged generator writes the intent and the prompt; that nothing is at risk stands there already.
        begin = "<intent>" if prompt == "staged" and not item.harmful else "<threat>"
        assert written[item.id].partition(begin)[2] == rewritten(item).partition(begin)[2]
    assert rows[0]["messages"][0] == {"role": "system", "content": REWRITER_SYSTEM}
    # The target answers a harmful item's two prompts, a harmless one's once (it is the same); nothing for what fell.
    asked = Counter(item for role, item, _, _ in models.asked if role == "target")
    assert asked == Counter({i.id: 1 + i.harmful for i in kept})
    judged = {key[1] for key in models.asked if key[0] == "judge"}
    assert judged == {i.id for i in kept}
    found = summary(tmp_path / "out")
    assert found["quality"]["precision"]["value"] == 1.0 and found["quality"]["citation_after"]["value"] == 1.0
    assert sum(i.harmful is False for i in kept) >= 0.1 * len(kept)
    if prompt == "staged":
        stages = Counter(stage for role, _, stage, _ in models.asked if role == "generator")
        assert stages == {"hindsight": len(HARMFUL), "causal": len(HARMFUL), "optimise": len(ITEMS)}


def test_a_rewrite_that_makes_nothing_safer_is_not_kept(tmp_path):
    few = HARMFUL[:3]
    models = Models(few, rewriting=True)

    def answer(body):
        # This target does harm whatever it is asked, or never does.
        if body["model"] != "target":
            return models(body)
        item = models._item(body)
        return (
            item.rejected if item is few[0] else "It is used with care, and a grown-up helps." if item is few[1] else models(body)
        )

    with Fake(Script(answer=answer)) as fake:
        arguments = [*setting(fake.base_url, tmp_path, few, target="yes"), "attempts=1", "helpful_share=0"]
        assert synth(tmp_path / "out", arguments, action="rewriter") == 0
        told = {row["item"]: (row["stage"], row["reason"]) for row in lines(tmp_path / "out" / "rejected.jsonl")}
        assert told == {few[0].id: ("target", "unsafe_answer"), few[1].id: ("judge", "harm_not_safer")}
        assert synth(tmp_path / "out", arguments, "safer=false", action="rewriter") == 0
    assert summary(tmp_path / "out")["rows"] == 2


def test_a_target_that_refuses_or_does_not_answer_is_told_apart(tmp_path):
    few = HARMFUL[:2]
    models = Models(few, rewriting=True)

    def answer(body):
        if body["model"] != "target" or models._item(body) is few[1]:
            return models(body)
        return "I cannot help with this. It could hurt a person."

    with Fake(Script(answer=answer)) as fake:
        arguments = [*setting(fake.base_url, tmp_path, few, target="yes"), "attempts=1", "helpful_share=0"]
        assert synth(tmp_path / "out", arguments, action="rewriter") == 0
    assert [row["reason"] for row in lines(tmp_path / "out" / "rejected.jsonl")] == ["refused"]


def test_too_few_harmless_rows_leave_harmful_ones_out_and_say_so(tmp_path, capsys):
    few = [*HARMFUL[:12], BENIGN[0]]
    with Fake(Script(answer=Models(few, rewriting=True))) as fake:
        arguments = setting(fake.base_url, tmp_path, few, target="yes")
        assert synth(tmp_path / "out", arguments, action="rewriter") == 0
        first = results(tmp_path / "out")
        assert synth(tmp_path / "out", arguments, "concurrency=1", action="rewriter") == 0
        assert results(tmp_path / "out")["rows.parquet"] == first["rows.parquet"]
        assert synth(tmp_path / "none", [*setting(fake.base_url, tmp_path, HARMFUL[:2], target="yes")], action="rewriter") == 2
    assert "no row was kept" in capsys.readouterr().err
    assert summary(tmp_path / "out")["funnel"]["items"] == {
        "kept": 10, "rejected": 0, "balanced_out": 3, "failed": 0, "undecided": 0,
    }  # fmt: skip


def test_answers_that_an_item_lacks_come_from_the_target_for_hindsight(tmp_path):
    item = replace(HARMFUL[0], reference=None, rejected=None)
    models = Models([item], rewriting=True)
    with Fake(Script(answer=models)) as fake:
        arguments = [*setting(fake.base_url, tmp_path, [item], target="yes"), "prompt=staged", "helpful_share=0", "attempts=1"]
        assert synth(tmp_path / "out", arguments, action="rewriter") in (0, 2)
        asked = [b["messages"] for _, b in fake.seen if b["model"] == "target"]
    assert sum("Answer safely" in m[0]["content"] for m in asked if isinstance(m[0]["content"], str)) == 1
    assert sum(len(m) == 1 for m in asked) == 2


def test_the_balance_is_a_pure_function_of_rows_and_seed():
    passed = (
        {f"a{i}": "animal_abuse" for i in range(9)}
        | {f"p{i}": "privacy" for i in range(3)}
        | {f"b{i}": "benign" for i in range(20)}
    )
    cfg = BalanceConfig(most=8, ratio=2.0, benign_ratio=1.0)
    out = by_category(passed, cfg, 1)
    left = Counter(category for i, category in passed.items() if i not in out)
    assert left == {"animal_abuse": 6, "privacy": 3, "benign": 9}
    assert by_category(dict(reversed(passed.items())), cfg, 1) == out != by_category(passed, cfg, 2)
    assert by_category(passed, BalanceConfig(), 1) == {} == by_help(passed, 0.1, 1)
    assert len(by_help(passed, 0.8, 1)) == 7 and all(passed[i] != "benign" for i in by_help(passed, 0.8, 1))
    assert set(by_help({"a": "privacy"}, 0.1, 0)) == {"a"}
