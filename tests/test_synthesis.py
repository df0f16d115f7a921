"""`rl-align synth` end to end, in front of scripted models at the endpoint's boundary.

1. every planted mistake falls at the stage that is there for it, and everything is accounted for;
2. checks by rule come before the judge is paid;
3. another attempt can repair what fell, a spent budget stops and continues, failing models are counted and asked again;
4. a judge's verdict in an answer is no verdict, and items from anywhere do no harm.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from synthesising import Models, hostile, right, setting, world

from rl_align.cli import main
from rl_align.data.items import write_items
from rl_align.endpoints.chaos import Chaos
from rl_align.endpoints.fake import Fake, Script
from rl_align.transcript.responder import parse_response

ITEMS = world()
HARMFUL = [i for i in ITEMS if i.harmful]
BENIGN = [i for i in ITEMS if not i.harmful]
#: Planted mistake → where it must fall, and why.
FALLS = {
    "grammar": ("format", "think_unclosed"),
    "verdict": ("format", "marker"),
    "policy": ("citation", "wrong_policy"),
    "invented": ("citation", "invented_policy"),
    "rule": ("citation", "invented_rule"),
    "refusal": ("behaviour", "refuse_shown"),
    "flattery": ("judge", "visual_grounding_too_low"),
}
PLANTED = {
    **{HARMFUL[k].id: kind for k, kind in enumerate(["grammar", "policy", "policy", "invented", "rule", "flattery"])},
    **{BENIGN[k].id: kind for k, kind in enumerate(["refusal", "refusal", "verdict", "flattery"])},
}


def synth(out: Path, arguments: list[str], *more: str, action: str = "msr-align") -> int:
    return main(["synth", action, *arguments, "--out", str(out), *more])


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def summary(out: Path) -> dict:
    return json.loads((out / "summary.json").read_text())


def results(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in ("rows.parquet", "rejected.jsonl", "kept.jsonl", "summary.json")}


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> dict[str, bytes]:
    """What a run without mishaps makes of the planted mistakes in two attempts."""
    folder = tmp_path_factory.mktemp("clean")
    with Fake(Script(answer=Models(ITEMS, {i: [kind] for i, kind in PLANTED.items()}))) as fake:
        assert synth(folder / "out", setting(fake.base_url, folder, ITEMS), "attempts=2") == 0
    return results(folder / "out")


def test_every_mistake_falls_at_its_stage_and_before_the_judge_where_a_rule_sees_it(tmp_path, capsys):
    models = Models(ITEMS, {i: [kind] for i, kind in PLANTED.items()})
    with Fake(Script(answer=models)) as fake:
        assert synth(tmp_path / "out", setting(fake.base_url, tmp_path, ITEMS), "attempts=1") == 0
    told = lines(tmp_path / "out" / "rejected.jsonl")
    assert {row["item"]: (row["stage"], row["reason"]) for row in told} == {i: FALLS[kind] for i, kind in PLANTED.items()}
    rows = pq.read_table(tmp_path / "out" / "rows.parquet").to_pylist()
    kept = [i for i in ITEMS if i.id not in PLANTED]
    assert [row["item_id"] for row in rows] == [i.id for i in kept]
    assert [row["messages"][-1]["content"] for row in rows] == [right(i) for i in kept]
    assert all(row["images"][0]["bytes"] == i.images[0].read() for row, i in zip(rows, kept, strict=True))
    # The judge: three questions about each row that is kept, one about each that it rejects, none about the others.
    judged = Counter(item for role, item, _, _ in models.asked if role == "judge")
    flattered = {i for i, kind in PLANTED.items() if kind == "flattery"}
    assert judged == Counter({i.id: 3 for i in kept}) + Counter(dict.fromkeys(flattered, 1))
    found = summary(tmp_path / "out")
    assert found["complete"] and found["rows"] == len(kept) and sum(found["funnel"]["items"].values()) == len(ITEMS)
    passed = found["funnel"]["passed"]
    assert (passed["reason"], passed["format"], passed["citation"], passed["judge"]) == (40, 38, 34, 30)
    assert found["quality"]["precision"]["value"] == 1.0 and found["quality"]["citation_after"]["value"] == 1.0
    assert found["quality"]["citation_before"]["value"] == 0.9 and found["quality"]["right_before"]["value"] < 0.85
    assert found["answers"]["judge"]["calls"] == judged.total()
    out = capsys.readouterr().out
    assert "30 rows" in out and "precision" in out and "2 citation: wrong_policy" in out


def test_another_attempt_repairs_what_fell(clean):
    told = [json.loads(line) for line in clean["rejected.jsonl"].splitlines()]
    assert {(row["item"], row["attempt"], row["fate"]) for row in told} == {(i, 1, "kept") for i in PLANTED}
    assert json.loads(clean["summary.json"])["rows"] == len(ITEMS)
    assert sum(json.loads(line)["attempt"] == 2 for line in clean["kept.jsonl"].splitlines()) == len(PLANTED)


def test_a_staged_generator_describes_then_reasons_over_the_policy_and_the_request_is_fenced(tmp_path):
    few = [HARMFUL[0], BENIGN[0]]
    models = Models(few)
    with Fake(Script(answer=models)) as fake:
        assert synth(tmp_path / "out", setting(fake.base_url, tmp_path, few), "prompt=staged") == 0
        asked = [body["messages"] for _, body in fake.seen if body["model"] == "generator"]
    assert {key[2] for key in models.asked if key[0] == "generator"} == {"describe", "reason"} and len(asked) == 4
    reasons = [m for m in asked if "its thinking and its answer" in m[0]["content"]]
    rule = HARMFUL[0].citations[0]
    assert sum(f"{rule.policy}: " in m[0]["content"] and "Rule 2 (demands: educate)" in m[0]["content"] for m in reasons) == 1
    assert sum("No policy applies" in m[0]["content"] for m in reasons) == 1
    assert all("<<BEGIN prompt " in m[1]["content"][-1]["text"] for m in asked)


def test_an_item_without_a_policy_gets_the_one_that_the_generator_identifies(tmp_path):
    from dataclasses import replace

    item = replace(HARMFUL[0], citations=(), harmful=None, expected=())
    models = Models([HARMFUL[0]])

    def answer(body):
        text = models(body)
        return text.replace("\nnone", f"\n{HARMFUL[0].citations[0].policy}") if "### Category" in text else text

    with Fake(Script(answer=answer)) as fake:
        arguments = setting(fake.base_url, tmp_path, [item])
        assert synth(tmp_path / "out", arguments, "prompt=staged") == 0
        chat = next(b["messages"] for _, b in fake.seen if "its thinking and its answer" in b["messages"][0]["content"])
    assert f"{HARMFUL[0].citations[0].policy}: " in chat[0]["content"]


def test_failing_models_are_counted_and_asked_again(tmp_path, capsys, clean):
    models = Models(ITEMS, {i: [kind] for i, kind in PLANTED.items()})
    calm = {"silent": 0.0, "delay": 0.0, "wrong_language": 0.0, "truncated_json": 0.0, "rate_limited": 0.0}
    with Fake(Script(answer=models, chaos=Chaos.even(0.3, **calm))) as fake:
        arguments = setting(fake.base_url, tmp_path, ITEMS)
        more = ["attempts=2", "generator.endpoint.attempts=2", "judge.attempts=2"]
        assert synth(tmp_path / "out", arguments, *more) == 0
        items = summary(tmp_path / "out")["funnel"]["items"]
        assert sum(items.values()) == len(ITEMS) and items["failed"] > 2 and "ask for them again" in capsys.readouterr().out
        last = {row["item"]: row for row in lines(tmp_path / "out" / "rejected.jsonl") if row["fate"] == "failed"}
        assert len(last) == items["failed"] and all(row["reason"].startswith(("generator_", "judge_")) for row in last.values())
        for _ in range(40):
            if not summary(tmp_path / "out")["funnel"]["items"]["failed"]:
                break
            assert synth(tmp_path / "out", arguments, *more) == 0
    assert results(tmp_path / "out")["rows.parquet"] == clean["rows.parquet"]
    assert max(models.asked.values()) == 1 or fake.counts["truncated_reply"]


def test_wrong_answers_of_failing_models_are_accounted_for(tmp_path):
    with Fake(Script(answer=Models(ITEMS), chaos=Chaos(truncated_json=0.15, wrong_language=0.15))) as fake:
        assert synth(tmp_path / "out", setting(fake.base_url, tmp_path, ITEMS), "attempts=2") == 0
    funnel = summary(tmp_path / "out")["funnel"]
    assert sum(funnel["items"].values()) == len(ITEMS) and funnel["items"]["failed"] == 0 and funnel["items"]["rejected"] > 0
    assert "truncated" in funnel["attempts"]["fell"]["reason"]


def test_an_outage_stops_the_run_with_its_cause(tmp_path, capsys):
    with Fake(Script(answer=Models(ITEMS), chaos=Chaos(server_error=1.0))) as fake:
        arguments = [*setting(fake.base_url, tmp_path, ITEMS), "min_calls=8", "generator.endpoint.attempts=1"]
        assert synth(tmp_path / "out", arguments) == 1
    said = capsys.readouterr().err
    assert "8 generator server" in said and "max_failed_share" in said and fake.counts["requests"] < 20
    found = summary(tmp_path / "out")
    assert not found["complete"] and found["funnel"]["items"]["undecided"] > 20 and not (tmp_path / "out" / "rows.parquet").exists()


def test_a_spent_budget_stops_the_run_holds_over_restarts_and_continues(tmp_path, capsys, clean):
    models = Models(ITEMS, {i: [kind] for i, kind in PLANTED.items()})
    with Fake(Script(answer=models)) as fake:
        arguments = [*setting(fake.base_url, tmp_path, ITEMS), "attempts=2"]
        assert synth(tmp_path / "out", arguments, "judge.budget_calls=31") == 1
        assert "of 31 requests spent" in capsys.readouterr().err
        once = fake.counts["requests"]
        assert sum(n for key, n in models.asked.items() if key[0] == "judge") == 31
        assert 8 <= summary(tmp_path / "out")["rows"] <= 10
        assert synth(tmp_path / "out", arguments, "judge.budget_calls=31") == 1
        assert "budget of the judge is spent (judge.budget_calls: 31 of 31)" in capsys.readouterr().err
        assert sum(n for key, n in models.asked.items() if key[0] == "judge") == 31 and fake.counts["requests"] <= once + 8
        assert synth(tmp_path / "out", arguments) == 0
    assert max(models.asked.values()) == 1
    mine = results(tmp_path / "out")
    assert all(mine[name] == clean[name] for name in ("rows.parquet", "rejected.jsonl", "kept.jsonl"))


def test_calls_under_way_leave_room_in_the_budget_when_they_land(tmp_path):
    """Each counts at its longest until it has landed: four at once would overrun a budget that suffices for all, one by one."""
    few = ITEMS[:6]
    with Fake(Script(answer=Models(few), latency_s=(0.0, 0.01))) as fake:
        axis = "axes.safety_relevance"
        arguments = [*setting(fake.base_url, tmp_path, few), f"{axis}.least=4", f"{axis}.judge.max_tokens=6000"]
        assert synth(tmp_path / "out", arguments) == 0
        used = summary(tmp_path / "out")["answers"]["judge"]
        budget = used["prompt_tokens"] + used["completion_tokens"] + 7000
        assert synth(tmp_path / "again", arguments, f"judge.budget_tokens={budget}") == 0
        assert synth(tmp_path / "less", arguments, f"judge.budget_tokens={budget // 2}") == 1
    assert results(tmp_path / "again")["rows.parquet"] == results(tmp_path / "out")["rows.parquet"]


def test_a_finished_run_asks_for_nothing_again(tmp_path):
    with Fake(Script(answer=Models(ITEMS[:6]))) as fake:
        arguments = setting(fake.base_url, tmp_path, ITEMS[:6])
        assert synth(tmp_path / "out", arguments) == 0
        before, count = results(tmp_path / "out"), fake.counts["requests"]
        assert synth(tmp_path / "out", arguments) == 0
    assert fake.counts["requests"] == count and results(tmp_path / "out") == before


def test_items_from_anywhere_do_no_harm(tmp_path, capsys):
    items = [*hostile(ITEMS), *ITEMS[1:4]]
    models = Models(ITEMS)
    with Fake(Script(answer=models)) as fake:
        assert synth(tmp_path / "out", [*setting(fake.base_url, tmp_path, items), "generator.special_tokens=['<|im_end|>']"]) == 0
        sent = json.dumps([body for _, body in fake.seen if body["model"] == "generator"])
    told = {row["item"]: row["reason"] for row in lines(tmp_path / "out" / "rejected.jsonl")}
    assert told == {"empty": "empty_prompt", "long": "prompt_too_long", "broken\x1b[31m": "image_unknown_format"}
    assert "<|im_end|>" not in sent and "<image>" not in sent and "\x1b" not in capsys.readouterr().out
    assert summary(tmp_path / "out")["rows"] == 4


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (["axes.refusal.least=fine"], "axes.refusal.least: is 'fine'"),
        (["axes.nonsense.least=5"], "axes.nonsense"),
        (["generator.temperature=0"], "attempts at temperature 0"),
        (["templates.resaon=x.md"], "templates.resaon"),
        (["generator.endpoint.cache=c.sqlite"], "generator.endpoint.cache"),
        (["generator.endpoint.api_key_env=NO_SUCH_KEY"], "NO_SUCH_KEY"),
        (["checks.citations=false"], "the nearest valid key is checks.citation"),
        (["judge.base_url=nonsense"], "judge.base_url"),
    ],
)
def test_a_setting_that_cannot_work_is_one_line_and_exit_code_2(tmp_path, capsys, more, part):
    assert synth(tmp_path / "out", setting("http://127.0.0.1:9/v1", tmp_path, ITEMS[:1]), *more) == 2
    error = capsys.readouterr().err
    assert part in error and error.count("\n") == 1


def test_a_folder_of_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "rows.parquet").write_text("mine")
    assert synth(tmp_path / "out", setting("http://127.0.0.1:9/v1", tmp_path, ITEMS[:1])) == 2
    assert "holds something else" in capsys.readouterr().err and (tmp_path / "out" / "rows.parquet").read_text() == "mine"


def test_a_dry_run_tells_calls_and_cost_and_buys_nothing(tmp_path, capsys):
    arguments = [*setting("http://127.0.0.1:9/v1", tmp_path, ITEMS), "generator.endpoint.price_prompt=1"]
    assert synth(tmp_path / "out", arguments, "--dry-run") == 0
    out = capsys.readouterr().out
    assert "# generator: 40 to 120 calls" in out and "# judge: 40 to 360 calls" in out and "in its currency" in out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", sorted((ROOT / "experiments" / "synthesis").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_experiment_of_synthesis_resolves(tmp_path, capsys, path):
    write_items(tmp_path / "items.parquet", ITEMS)
    action = "rewriter" if "rewriter" in path.stem else "msr-align"
    assert synth(tmp_path / "out", [str(path), "--items", str(tmp_path / "items.parquet")], "--dry-run", action=action) == 0
    assert "# kept when: " in capsys.readouterr().out


def test_no_filter_reads_the_truth():
    """Lock: truth is for measurement, or a filter's precision would be 1 by construction."""
    for path in (ROOT / "rl_align" / "synthesis").glob("*.py"):
        assert ".truth" not in path.read_text(), path.name


def test_rows_are_in_the_canonical_grammar_whatever_variant_was_written(tmp_path):
    models = Models(ITEMS[:2])

    def variant(body):
        return models(body).replace("### Image Content Description", "**Detailed Image Description**:").replace("### ", "## ")

    with Fake(Script(answer=variant)) as fake:
        assert synth(tmp_path / "out", setting(fake.base_url, tmp_path, ITEMS[:2])) == 0
    rows = pq.read_table(tmp_path / "out" / "rows.parquet").to_pylist()
    assert [row["messages"][-1]["content"] for row in rows] == [right(i) for i in ITEMS[:2]]
    assert all(parse_response(row["messages"][-1]["content"]).well_formed for row in rows)
