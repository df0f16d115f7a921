"""The pure parts of the client: settings, keys, answers found in texts, pace, budget, durations, examples."""

from __future__ import annotations

import asyncio
import base64
import math
import random
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from types import MappingProxyType

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import CHAT, PNG, SCHEMA

from rl_align.config import load_config
from rl_align.endpoints.budget import Budget
from rl_align.endpoints.chaos import Chaos, Mishap, parse
from rl_align.endpoints.config import EndpointConfig, Structured
from rl_align.endpoints.example import example
from rl_align.endpoints.images import image_part
from rl_align.endpoints.keys import Keys
from rl_align.endpoints.lru import Lru
from rl_align.endpoints.meters import Histogram
from rl_align.endpoints.pace import Pace
from rl_align.endpoints.reply import retry_after
from rl_align.endpoints.structured import Shape, Unfit
from rl_align.endpoints.types import EndpointError, FailureReason, Sampling
from rl_align.errors import UserError

HERE = EndpointConfig("http://host/v1", "fake")


def key(messages=CHAT, sampling=None, schema=None, version="", sample=0, cfg=HERE) -> str:
    return Keys(cfg).key(messages, sampling or Sampling(), schema, version, sample)


def shown(url) -> list[dict]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


def test_settings_come_from_yaml(tmp_path):
    path = tmp_path / "endpoint.yaml"
    path.write_text("base_url: https://host:8000/v1/\nmodel: judge\nstructured: json_object\nextra: {top_k: 5}\ncache: null\n")
    cfg = load_config(EndpointConfig, path, ["concurrency=8"])
    cfg.check()
    assert (cfg.structured, cfg.extra, cfg.concurrency) == (Structured.json_object, {"top_k": 5}, 8)


WRONG = [
    *(
        ("base_url", url)
        for url in ("", "host/v1", "ftp://host", "http://", "http://a b/v1", "http://host/v1#x", "http://h:99999/v1")
    ),
    ("model", ""),
    ("api_key_env", "lower_case"),
    ("concurrency", 0),
    ("deadline_s", 0.0),
    ("read_timeout_s", math.inf),
    ("attempts", 0),
    ("backoff_s", -1.0),
    ("requests_per_minute", math.nan),
    ("budget_tokens", -1),
    ("budget_cost", 1.0),
    ("extra", {"messages": []}),
    ("cache", ""),
    ("identity", " "),
]


@pytest.mark.parametrize("name, value", WRONG)
def test_settings_that_cannot_work_are_named(name, value):
    cfg = EndpointConfig(**{"base_url": "http://host/v1", "model": "fake", name: value})
    with pytest.raises(UserError, match=f"judge.{name}: "):
        cfg.check("judge")


def test_a_key_depends_on_everything_that_decides_the_answer():
    changed = [
        {"messages": CHAT[:1]},
        {"messages": CHAT[::-1]},
        {"sampling": Sampling(temperature=0.1)},
        {"sampling": Sampling(max_tokens=1)},
        {"sampling": Sampling(seed=0)},
        {"schema": SCHEMA},
        {"schema": {}},
        {"version": "2"},
        {"sample": 1},
        {"cfg": EndpointConfig("http://elsewhere/v1", "fake")},
        {"cfg": EndpointConfig("http://host/v1", "fake", identity="a")},
        {"cfg": EndpointConfig("http://host/v1", "fake", identity="http://host/v1")},
        {"cfg": EndpointConfig("http://host/v1", "other")},
        {"cfg": EndpointConfig("http://host/v1", "fake", structured=Structured.none)},
        {"cfg": EndpointConfig("http://host/v1", "fake", extra={"top_k": 1})},
    ]
    keys = [key(), *(key(**change) for change in changed)]
    assert len(set(keys)) == len(keys) and all(len(k) == 64 for k in keys)


def test_a_key_does_not_depend_on_what_does_not():
    same = [{"content": m["content"], "role": m["role"]} for m in CHAT]
    assert key() == key(same) == key(tuple(MappingProxyType(m) for m in CHAT))
    assert key() == key(cfg=EndpointConfig("http://host/v1/", "fake", concurrency=1, attempts=9, api_key_env="KEY", deadline_s=9))
    named = [EndpointConfig(f"http://host:{port}/v1", "fake", identity="a") for port in (1, 2)]
    assert key(cfg=named[0]) == key(cfg=named[1]), "a server that comes back on another port is the same one"


def test_images_count_by_their_content():
    url = image_part(PNG)["image_url"]["url"]
    assert key(shown(url)) == key(shown(PNG)) == key(shown(url.replace("image/png", "image/PNG")))
    assert key(shown(url)) != key(shown(PNG + b"\0"))
    # A text that looks like what stands for an image is another message.
    assert key(shown(url)) != key([{"role": "user", "content": [{"type": "text", "text": url}]}])


def test_an_image_is_hashed_once(monkeypatch):
    decoded = []
    monkeypatch.setattr(base64, "b64decode", lambda *a, _decode=base64.b64decode, **k: decoded.append(1) or _decode(*a, **k))
    keys, url = Keys(HERE), image_part(PNG)["image_url"]["url"]
    for _ in range(3):
        keys.key(shown(url), Sampling(), None, "", 0)
        keys.key(shown("".join(list(url))), Sampling(), None, "", 0)
    assert len(decoded) == 1


NO_CHATS = [[], ["text"], [{"role": "user"}], [{"content": "x"}], *([{"role": "user", "content": c}] for c in (3, [3]))]


@pytest.mark.parametrize("messages", NO_CHATS)
def test_what_is_no_chat_is_refused(messages):
    with pytest.raises(EndpointError) as caught:
        key(messages)
    assert caught.value.reason is FailureReason.bad_request


@settings(max_examples=40)
@given(st.text())
def test_every_text_has_a_key(text):
    assert key([{"role": "user", "content": text}]) == key([{"content": text, "role": "user"}])


def test_lone_surrogates_have_a_key():
    assert len(key([{"role": "user", "content": "\ud800"}])) == 64


FITTING = [
    ('{"score": 3}', 3),
    ('  \n{"score": 3}\n', 3),
    ('```json\n{"score": 3}\n```', 3),
    ('Sure. {"score": 3} I hope this helps {you}.', 3),
    ('<think>{"score": 1}? No.</think> {"score": 3}', 3),
    ('{"score": 3} {"score": 9}', 3),
    ('{ {"score": 3}', 3),
    ("{" * 99 + '{"score": 3}', 3),
]
UNFIT = ["", "3", "null", "score: 3", '{"score": 3', '{"score": "3"}', '{"score": 9}', '{"score": NaN}', '[{"score": 3}]']
UNFIT += ['{"score": 1e999}', "[" * 500 + "]" * 500, '{"score": 3, "more": 1}', "{" * 99999, "[" * 99999, "Deux points sur cinq."]


@pytest.mark.parametrize("text, score", FITTING)
def test_an_answer_is_found_in_a_text(text, score):
    assert Shape(SCHEMA).parse(text) == {"score": score}


@pytest.mark.parametrize("text", UNFIT, ids=range(len(UNFIT)))
def test_what_does_not_fit_is_not_an_answer(text):
    began = time.process_time()
    with pytest.raises(Unfit):
        Shape(SCHEMA).parse(text)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("text", ['{"a": 1e999}', '{"a": "\\ud800"}', '{"a": -Infinity}'])
def test_values_that_no_file_takes_are_no_answers(text):
    with pytest.raises(Unfit):
        Shape({"type": "object"}).parse(text)


def test_a_schema_is_checked_and_refers_to_nothing_elsewhere():
    with pytest.raises(EndpointError, match="not valid"):
        Shape({"type": "no such type"})
    with pytest.raises(EndpointError, match="refers to what is not in it"):
        Shape({"$ref": "http://example.invalid/schema.json"}).parse("{}")


def test_strict_is_asked_for_only_where_the_schema_allows_it():
    form = Shape({"type": "object", "title": "My grade!"}).request(CHAT, Structured.json_schema)[1]["response_format"]
    assert form["json_schema"]["strict"] is False and form["json_schema"]["name"] == "My_grade_"


def test_pace_gives_turns_in_order():
    pace = Pace(60)
    assert [pace.take(1, 100.0) for _ in range(4)] == [0.0, 0.0, 1.0, 2.0]  # a second's worth at once, then one a second
    pace.correct(-2)
    assert pace.take(1, 100.0) == 1.0
    assert pace.take(1, 200.0) == 0.0
    assert Pace(0).take(1e9, 0.0) == 0.0


def test_a_budget_counts_what_is_under_way_and_waits_for_it():
    budget = Budget(EndpointConfig("http://host/v1", "fake", budget_tokens=1000, price_prompt=2.0, price_completion=10.0), "judge")

    async def spend():
        first = await budget.reserve(100, 500)
        second = asyncio.ensure_future(budget.reserve(100, 500))
        await asyncio.sleep(0)
        assert not second.done(), "up to 600 are under way"
        with pytest.raises(EndpointError, match=r"judge.budget_tokens: 0 of 1,000 tokens spent"):
            await budget.reserve(600, 500)  # would not fit even if those under way cost nothing
        assert budget.settle(first, 100, 50) == pytest.approx(7e-4)
        budget.release(await second)

    asyncio.run(spend())
    assert (budget.spent.tokens, budget.spent.calls) == (150, 1)


def test_a_call_that_gave_up_waiting_for_the_budget_keeps_nobody_else_from_it():
    budget = Budget(EndpointConfig("http://host/v1", "fake", budget_cost=0.3e-3, price_prompt=1.0), "judge")

    async def spend():
        first = await budget.reserve(100, 0)
        waiting = [asyncio.ensure_future(budget.reserve(210, 0)) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        budget.release(first)
        return await asyncio.wait_for(waiting[1], 1)

    assert asyncio.run(spend()).tokens == 210


@settings(max_examples=40)
@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=50))
def test_quantiles_are_within_five_percent(seconds):
    histogram = Histogram()
    for s in seconds:
        histogram.add(s)
    ordered = sorted(seconds)
    for share in (0.5, 0.95, 1.0):
        exact = ordered[math.ceil(share * len(ordered)) - 1]
        assert exact * 0.999 <= histogram.quantile(share) <= exact * 1.051
    assert histogram.mean() == pytest.approx(sum(seconds) / len(seconds))


def test_what_was_not_used_for_longest_is_forgotten():
    kept: Lru[str, int] = Lru(10)
    for number, name in enumerate("abc"):
        kept.put(name, number, 4)
        kept.get("a")
    assert [kept.get(name) for name in "abc"] == [0, None, 2]
    kept.put("a", 9, 11)
    assert kept.get("a") is None and len(kept) == 1


def test_retry_after_is_read_as_seconds_or_a_date():
    soon = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=30))
    read = [retry_after({"retry-after": text}) for text in ("2", "0.5", "-1", "nan", "inf", "soon", "", soon)]
    assert read[:7] == [2.0, 0.5, 0, 0, 0, 0, 0] and 27 < read[7] <= 30
    assert retry_after({"retry-after-ms": "250", "retry-after": "1"}) == 0.25 and retry_after({}) == 0


def test_examples_fit_their_schemas():
    part = {"type": "number", "minimum": 2.5}
    schema = {
        "properties": {
            "kind": {"enum": ["a", "b"]},
            "votes": {"type": "array", "items": part, "minItems": 2},
            "note": {"anyOf": [{"type": "null"}, {"type": "string", "minLength": 40, "maxLength": 50}]},
            "low": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
            "sure": {"type": ["boolean", "null"]},
            "is": {"const": 1},
        },
        "required": ["kind", "votes", "note", "low", "sure", "is"],
    }
    for seed in range(20):
        jsonschema.validate(example(schema, random.Random(seed)), schema)


def test_chaos_is_drawn_by_its_shares():
    chaos, chance = parse("drop=0.1,silent=0.2,delay_s=3"), random.Random(0)
    drawn = [chaos.draw(chance) for _ in range(5000)]
    assert drawn.count(Mishap.drop) == pytest.approx(500, rel=0.2) and drawn.count(Mishap.silent) == pytest.approx(1000, rel=0.2)
    assert drawn.count(None) == 5000 - drawn.count(Mishap.drop) - drawn.count(Mishap.silent) and chaos.delay_s == 3
    assert sum(getattr(Chaos.even(0.3), m.value) for m in Mishap) == pytest.approx(0.3)
    for wrong in ("drop=1.1", "drop=-0.1", "drop=0.6,silent=0.6", "fire=0.1"):
        with pytest.raises(ValueError):
            parse(wrong)
