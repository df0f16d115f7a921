"""What an outage does to a run: judges and the target are watched, also where dynamic sampling throws their rollouts away."""

from __future__ import annotations

import pytest

from reward.credit import assign
from rl_align.engine.config import TargetConfig
from rl_align.engine.groups import Rule, classify
from rl_align.engine.record import StepRecord
from rl_align.engine.rows import make_rows
from rl_align.engine.watch import Watch
from rl_align.errors import EngineFailed, UserError

LIMITS = {"max_unscored_share": 0.2, "min_calls": 10, "window": 20}
TARGET = {"max_failed_share": 0.5, "min_calls": 64, "window": 256}


def text(status="ok", reward=1.0, gate=None, judges=None, **facts) -> dict:
    return {
        "item_id": "i", "seat": "responder", "status": status, "reward": reward, "components": {}, "gate": gate, "text": "t",
        "tokens": 3, "facts": {**facts, **({"judges": judges} if judges else {})},
    }  # fmt: skip


def judged(score: float | None, asked: int = 1) -> dict:
    told = {"cached": 0, "latency_s": 0.2 * asked, "cost": 0.1, "asked": asked, "reason": "timeout" if score is None else ""}
    status = "judge_unscored" if score is None else "ok"
    return text(status, score, judges={"helpfulness": {**told, "score": score}})


def keyed(texts: list[dict], group: str = "g") -> dict[str, dict]:
    return {f"{group}_{i}_0": t for i, t in enumerate(texts)}


def batch(failed: int, right: int) -> dict[str, dict]:
    """Texts of one step."""
    return keyed([judged(None)] * failed + [judged(1.0)] * right)


def test_reasons_and_what_judging_took_are_counted():
    watch = Watch({"helpfulness": LIMITS})
    watch.add(batch(1, 9) | {"other_0_0": text()})
    values = watch.take()
    assert values["judge/helpfulness/asked"] == 10 and values["judge/helpfulness/unscored_share"] == 0.1
    assert values["judge/helpfulness/unscored/timeout"] == 1 and values["judge/helpfulness/latency_s"] == pytest.approx(0.2)
    assert values["judge/helpfulness/cost"] == pytest.approx(1.0)
    assert watch.take() == {}, "a step's texts are its own"


def test_an_outage_stops_the_run_with_its_cause_and_a_blip_does_not():
    watch = Watch({"helpfulness": LIMITS})
    for failed, right in ((5, 0), (0, 20), (4, 6)):  # the first are too few to say
        watch.add(batch(failed, right))
        watch.take()
    with pytest.raises(EngineFailed, match=r"judge helpfulness: 9 of the latest 20 opinions failed \(14 timeout\)"):
        watch.add(batch(5, 5))


def test_a_text_counts_once_a_step_whoever_reads_it():
    """Dynamic sampling reads a group, and the trainer reads it again in its batch: four failures are not twelve."""
    watch = Watch({"helpfulness": LIMITS})
    for _ in range(3):
        watch.add(batch(4, 0))
    assert watch.take()["judge/helpfulness/asked"] == 4


def test_without_judges_and_target_nothing_is_said():
    watch = Watch({})
    watch.add(keyed([text(), text("partner_error", None), judged(None)]))
    assert watch.take() == {}


def dead(count: int = 8, group: str = "g", **facts) -> dict[str, dict]:
    return keyed([text("partner_error", None, **facts)] * count, group)


@pytest.mark.parametrize("status", ["partner_error", "timeout"])
def test_a_dead_target_stops_the_run_and_says_where_it_was_asked(status):
    watch = Watch({}, TARGET, "http://127.0.0.1:9/v1")
    watch.add(keyed([text(status, None)] * 63, "a"))
    with pytest.raises(EngineFailed, match=rf"the target: 64 of the latest 64 rollouts failed \(64 {status}\)") as caught:
        watch.add(keyed([text(status, None)], "b"))
    assert "http://127.0.0.1:9/v1" in str(caught.value) and "rewriter.target.max_failed_share" in str(caught.value)


def test_why_the_target_did_not_answer_is_told_where_it_is_known():
    watch = Watch({}, {**TARGET, "min_calls": 8})
    with pytest.raises(EngineFailed, match=r"8 connection"):
        watch.add(dead(lost="connection"))


def test_texts_that_the_target_never_saw_do_not_hide_that_it_is_dead():
    """Lock: nine of ten rewrites that cannot be handed on leave one, and that one was lost."""
    watch = Watch({}, {**TARGET, "min_calls": 8})
    unasked = keyed([text("parse_error", 0.0, "format"), text("truncated", -0.5, "truncated"), text("parse_error", 0.0)] * 30, "a")
    watch.add(unasked)
    with pytest.raises(EngineFailed, match="8 of the latest 8"):
        watch.add(dead())


def test_a_target_that_answers_half_of_the_time_is_counted_and_goes_on():
    watch = Watch({}, TARGET)
    watch.add(dead(100, "a") | keyed([text()] * 100, "b"))
    assert watch.take() == {"target/asked": 200, "target/failed_share": 0.5}
    with pytest.raises(EngineFailed):
        watch.add(dead(60, "c"))


def settings(folder) -> dict:
    asked = {"target": vars(TargetConfig(min_calls=16)), "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
    return {
        "folder": str(folder), "rollouts": str(folder / "rollouts"), "stage": "rewriter_grpo", "correlation_alarm": 0.99,
        "steps": 9, "first_step": 1, "command_began": 0.0, "scorer_settings": asked,
    }  # fmt: skip


def test_steps_that_teach_nothing_because_the_target_is_dead_end_the_stage(tmp_path):
    record = StepRecord(settings(tmp_path))
    told = dead(8, "a") | dead(8, "b")
    rows = make_rows(list(told), [{"rl": t} for t in told.values()])
    with pytest.raises(EngineFailed, match="16 of the latest 16 rollouts failed"):
        record.credited(1, list(told), list(told.values()), assign(rows), {})
    assert not (tmp_path / "metrics.jsonl").exists(), "the step is not recorded, so it is done again"


def test_limits_that_cannot_work_are_named():
    for bad, where in (({"max_failed_share": 1.5}, "max_failed_share"), ({"min_calls": 0}, "min_calls"), ({"window": 8}, "window")):
        with pytest.raises(UserError, match=f"target.{where}"):
            TargetConfig(**bad)


def fields(texts: dict[str, dict]) -> list[dict]:
    return [{"rl": t} for t in texts.values()]


def test_groups_that_dynamic_sampling_throws_away_are_counted_and_stop_the_run():
    """Lock: with a judge that is down every group is thrown away, and nobody else would ever see one."""
    watch = Watch({"helpfulness": LIMITS})
    lost = batch(8, 0)
    assert classify(["g"], list(lost), fields(lost), Rule(), watch) == {"g": -1.0}
    assert watch.unscored == "8 helpfulness: timeout"
    again = keyed(list(lost.values()), "h")
    with pytest.raises(EngineFailed, match=r"judge helpfulness: 16 of the latest 16 opinions failed \(16 timeout\)"):
        classify(["h"], list(again), fields(again), Rule(), watch)


def test_a_group_teaches_where_the_trainer_would_learn_from_it():
    flat, steep = keyed([text(reward=0.5)] * 2, "f"), keyed([text(reward=0.0), text(reward=1.0)], "s")
    cut = keyed([text("truncated", 0.0), text("truncated", 1.0)], "c")
    all_of_them = flat | steep | cut
    found = classify(["f", "s", "c", "none"], list(all_of_them), fields(all_of_them), Rule(mask_truncated=True), Watch({}))
    assert found == {"f": 0.5, "s": None, "c": 0.5, "none": -1.0}
    assert classify(["c"], list(cut), fields(cut), Rule(), Watch({})) == {"c": None}
