"""Rule and judge rewards together in the agent loop, over HTTP against a scripted endpoint."""

from __future__ import annotations

import asyncio
import io
import json

import pytest
from PIL import Image

from reward.label import write_label
from rl_align.endpoints.chaos import Chaos
from rl_align.endpoints.fake import Fake, Script
from rl_align.engine.scoring import load
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
    settings = {
        "reward": RULES,
        "judges": {"judges": judges or {"helpfulness": {}}},
        "endpoint": {"base_url": fake.base_url, "model": "fake", "backoff_s": 0.01, **endpoint},
        "max_response_tokens": 200,
    }
    scorer = load("rl_align.engine.judging:responder", settings)

    async def all_of_them():
        return await asyncio.gather(*(scorer(row(), text, 50, False) for text in texts))

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
    with Fake(verdict("5")) as fake:
        (scored,) = score(fake, ["no structure"])
    assert fake.counts["requests"] == 0 and scored.reward == 0.0 and scored.gate == "format"


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
