"""Rule and judge rewards together in the agent loop, over HTTP against a scripted endpoint."""

from __future__ import annotations

import asyncio
import io
import json

import pytest
from PIL import Image

from reward.instruments import instrument_of
from reward.label import write_label
from reward.panel import read
from rl_align.endpoints.chaos import Chaos
from rl_align.endpoints.fake import Fake, Script
from rl_align.engine.scoring import load
from rl_align.engine.watch import Watch
from rl_align.errors import UserError
from rl_align.schema import Behaviour, Item, Status
from rl_align.transcript.responder import render_response

ITEM = Item("i", (), "Where is it?", "d", "train", (Behaviour.COMPLY,), harmful=False, reference="The knife is in the drawer.")
RIGHT = render_response(
    think="An ordinary request.",
    description="A knife.",
    assessment="No policy is violated.",
    answer="The knife is in the drawer.",
    safe=False,
)
RULES = {"weights": {"citation": 1.0, "behaviour": 1.0, "helpfulness": 0.0}}


def row(item: Item = ITEM) -> dict:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    content = [{"type": "image", "bytes": picture.getvalue()}, {"type": "text", "text": item.prompt}]
    return {
        "reward_model": {"ground_truth": write_label(item)},
        "extra_info": {"item_id": item.id, "split": "train"},
        "data_source": "d",
        "raw_prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": content}],
    }


def score(fake: Fake, texts: list[str], judges: dict | None = None, **endpoint) -> list:
    reward, truncated = endpoint.pop("reward", RULES), endpoint.pop("truncated", False)
    heldout, step = endpoint.pop("heldout", {}), endpoint.pop("step", 1)
    settings = {
        "reward": reward,
        "judges": {"judges": judges or {"helpfulness": {}}, "heldout": heldout},
        "endpoint": {"base_url": fake.base_url, "model": "fake", "backoff_s": 0.01, **endpoint},
        "max_response_tokens": 200,
    }
    scorer = load("rl_align.engine.judging:responder", settings)

    async def all_of_them():
        return await asyncio.gather(*(scorer({**row(), "global_steps": step}, text, 50, truncated) for text in texts))

    return asyncio.run(all_of_them())


def verdict(label: str) -> Script:
    return Script(answer=lambda _: json.dumps({"reason": "because", "verdict": label}))


def test_a_judges_verdict_is_a_component_and_a_gap_to_the_rule():
    with Fake(verdict("3")) as fake:
        (scored,) = score(fake, [RIGHT])
    assert scored.components["judge_helpfulness"] == 0.6 and scored.status is Status.OK
    assert scored.reward == pytest.approx((1 + 1 + 0.6) / 3)
    assert scored.facts["judge_gaps"] == {"helpfulness": pytest.approx(-0.4)}
    assert scored.facts["judges"]["helpfulness"]["label"] == "3" and scored.facts["judges"]["helpfulness"]["asked"] == 1
    sent = fake.seen[0][1]["messages"]
    assert "Where is it?" in json.dumps(sent) and sent[-1]["content"][0]["type"] == "image_url"
    assert "An ordinary request" not in json.dumps(sent), "the judge sees no thinking unless asked"


def test_a_judge_is_not_asked_where_a_gate_has_closed():
    """Each text has an answer and a risk assessment, about which a judge would be asked if the gate were open."""
    unformed = RIGHT.replace("<think>\nAn ordinary request.\n</think>\n", "")
    with Fake(verdict("5")) as fake:
        for reward, gate, truncated in ((RULES, "format", False), (RULES, "truncated", True)):
            (scored,) = score(fake, [RIGHT if truncated else unformed], reward=reward, truncated=truncated)
            assert scored.gate == gate and scored.reward <= 0.0
            assert (
                scored.facts["judges"]["helpfulness"] | {"asked": 0, "reason": "not_applicable"}
                == scored.facts["judges"]["helpfulness"]
            )
        assert fake.counts["requests"] == 0
        (open_gate,) = score(fake, [unformed], reward={**RULES, "format_gate": False})
    assert fake.counts["requests"] == 1 and open_gate.components["judge_helpfulness"] == 1.0


def test_equal_texts_are_judged_once():
    with Fake(verdict("4")) as fake:
        scored = score(fake, [RIGHT] * 8)
    assert fake.counts["requests"] == 1 and [s.reward for s in scored] == pytest.approx([2.8 / 3] * 8)


def test_an_outage_leaves_no_reward_and_never_a_zero():
    with Fake(Script(chaos=Chaos(server_error=1.0))) as fake:
        (scored,) = score(fake, [RIGHT], attempts=2)
    assert scored.reward is None and scored.status is Status.JUDGE_UNSCORED
    assert scored.components["judge_helpfulness"] is None and scored.facts["judges"]["helpfulness"]["reason"] == "server"


def test_a_key_that_is_not_there_is_missed_at_once():
    with Fake() as fake, pytest.raises(UserError, match="judge_endpoint.api_key_env"):
        score(fake, [RIGHT], api_key_env="NO_SUCH_KEY")


JUDGED = {
    "helpfulness": ({"helpfulness": {}}, json.dumps({"reason": "because", "verdict": "3"}), 0.6),
    "text": ({"helpfulness": {"output": "text"}}, "It is fine.\nVERDICT: 3", 0.6),
    "llama_guard": ({"llama_guard": {}}, "safe", 1.0),
    "guardreasoner": ({"guardreasoner": {}}, "<result>\nRequest: unharmful\nResponse: unharmful\n</result>", 1.0),
}


@pytest.mark.parametrize("name", JUDGED)
def test_thirty_percent_of_mishaps_cost_samples_and_never_reward(name):
    """Lock: no reward is 0, or any other than the judge's, for what went wrong on the way; and every text is accounted for."""
    judges, said, worth = JUDGED[name]
    texts = [RIGHT.replace("in the drawer.", f"in the drawer. {i}") for i in range(120)]
    chaos = Chaos.even(0.3, silent=0.0, delay_s=0.02, retry_after_s=0.02)
    with Fake(Script(answer=lambda _: said, chaos=chaos, seed=1)) as fake:
        found = score(fake, texts, judges, attempts=2)
        mishaps = 1 - fake.counts["ok"] / fake.counts["requests"]
    assert len(found) == 120 and 0.2 < mishaps < 0.4
    component = f"judge_{next(iter(judges))}"
    rules = score_without_judges(texts)
    for scored, (paid, weight) in zip(found, rules, strict=True):
        if scored.status is Status.JUDGE_UNSCORED:
            assert scored.reward is None and scored.components[component] is None
            assert scored.facts["judges"][next(iter(judges))]["reason"] in {
                "connection",
                "rate_limited",
                "server",
                "bad_output",
                "truncated",
            }
        else:
            assert scored.status is Status.OK and scored.components[component] == worth
            assert scored.reward == pytest.approx((paid * weight + worth) / (weight + 1))
    assert sum(s.status is Status.JUDGE_UNSCORED for s in found) < 40, "most mishaps are cured by another try"


def score_without_judges(texts: list[str]) -> list[tuple[float, float]]:
    """What the rules pay, and their weight."""
    scorer = load("rl_align.engine.scoring:responder", {"reward": RULES, "max_response_tokens": 200})
    return [(scorer(row(), text, 50, False).reward, sum(RULES["weights"].values())) for text in texts]


@pytest.mark.parametrize("name", ["text", "llama_guard"])
def test_garbage_in_place_of_an_answer_is_asked_for_again_and_forgotten(name, tmp_path):
    judges, said, worth = JUDGED[name]
    garbage = ["upstream connect error or disconnect/reset before headers"] * 3
    kept = {"cache": str(tmp_path / "cache.sqlite")}
    judges = {key: {**cfg, "fence_key_file": str(tmp_path / "key")} for key, cfg in judges.items()}
    with Fake(Script(answer=lambda _: garbage.pop() if garbage else said)) as fake:
        (lost,) = score(fake, [RIGHT], judges, **kept)
        (found,) = score(fake, [RIGHT], judges, **kept)
        assert fake.counts["requests"] == 4
        (again,) = score(fake, [RIGHT], judges, **kept)
    assert lost.status is Status.JUDGE_UNSCORED and found.components == again.components and found.reward is not None
    assert fake.counts["requests"] == 4, "and what could be used is kept"


def second_judge(fake: Fake, **settings) -> dict:
    return {
        "judges": {"helpfulness": {}},
        "endpoint": {"base_url": fake.base_url, "model": "other", "attempts": 1},
        "every": 10,
        **settings,
    }


def test_a_second_judge_shows_what_the_first_one_misses_and_pays_nothing():
    """The first judge is pleased, the second one is not: the reward is the first one's, the gap the panel's."""
    with Fake(verdict("5")) as pleased, Fake(verdict("1")) as strict:
        (alone,) = score(pleased, [RIGHT])
        (scored,) = score(pleased, [RIGHT], heldout=second_judge(strict, share=1.0), step=20)
        (between,) = score(pleased, [RIGHT], heldout=second_judge(strict, share=1.0), step=21)
        (gated,) = score(pleased, ["no structure"], heldout=second_judge(strict, share=1.0), step=20)
        assert strict.counts["requests"] == 1, "every ten steps, and not where a gate has closed"
    assert scored.reward == between.reward == alone.reward and scored.components == alone.components
    assert scored.facts["judge_gaps"]["helpfulness_heldout"] == pytest.approx(0.8)
    assert scored.facts["judges"]["helpfulness_heldout"]["label"] == "1"
    assert "helpfulness_heldout" not in between.facts["judge_gaps"] | gated.facts["judge_gaps"]
    values = read([{**s.facts, "group": "g", "text": "t"} for s in (scored, between)])
    assert values["panel/judge_gap/helpfulness_heldout"] == pytest.approx(0.8)
    assert (
        "pays" in instrument_of("panel/judge_gap/helpfulness_heldout").means != instrument_of("panel/judge_gap/helpfulness").means
    )


def test_a_second_judge_reads_its_share_of_the_texts_and_always_the_same():
    texts = [RIGHT.replace("in the drawer.", f"in the drawer. {i}") for i in range(100)]
    asked = []
    for _ in range(2):
        with Fake(verdict("5")) as first, Fake(verdict("5")) as second:
            found = score(first, texts, heldout=second_judge(second, share=0.3), step=10)
        asked.append(["helpfulness_heldout" in s.facts["judges"] for s in found])
    assert asked[0] == asked[1] and 15 < sum(asked[0]) < 45


def test_a_second_judge_that_is_down_costs_nothing_but_its_own_opinion():
    with Fake(verdict("5")) as first, Fake(Script(chaos=Chaos(server_error=1.0))) as dead:
        heldout = second_judge(dead, share=1.0)
        scored = score(first, [RIGHT, RIGHT + " "], heldout=heldout, step=10)
    assert [s.status for s in scored] == [Status.OK] * 2 and "helpfulness_heldout" not in scored[0].facts["judge_gaps"]
    watch = Watch.of({"judges": {}, "scorer_settings": {"judges": {"heldout": heldout}}})
    watch.add({f"g_{i}_0": {"status": "ok", "reward": s.reward, "facts": s.facts} for i, s in enumerate(scored)})
    assert watch.take()["judge/helpfulness_heldout/unscored_share"] == 1.0, "counted, and no reason to stop"
