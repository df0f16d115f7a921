"""The client against a scripted endpoint: every call ends, in a completion or in a reason why there is none."""

from __future__ import annotations

import asyncio
import time

import pytest
from scripted import CHAT, SCHEMA, chat, failure, raw, run

from rl_align.endpoints.chaos import Chaos, Mishap
from rl_align.endpoints.config import Structured
from rl_align.endpoints.fake import Fake, Script
from rl_align.endpoints.types import Completion, EndpointError, FailureReason, Sampling


def test_a_completion_and_what_is_sent_for_it():
    with Fake(Script((0.01, 0.01))) as fake:
        sampling = Sampling(0.5, 0.9, 32, seed=7)
        extra = {"chat_template_kwargs": {"enable_thinking": False}}
        done, metrics = run(fake.base_url, lambda e: e.complete(CHAT, sampling, sample=2), extra=extra, price_completion=1e6)
    assert done.text.startswith("This is") and done.parsed is None and not done.cached and done.attempts == 1
    assert done.cost == done.completion_tokens == metrics["judge/cost"] > 0 and done.latency_s > 0.01
    (headers, body), *others = fake.seen
    assert not others and "Authorization" not in headers
    expected = {"model": "fake", "messages": CHAT, "temperature": 0.5, "top_p": 0.9, "max_tokens": 32, "seed": 9, **extra}
    assert body == expected
    assert metrics["judge/request_s/p50"] >= 0.01


def test_a_field_of_the_request_can_be_left_out():
    with Fake() as fake:
        run(fake.base_url, lambda e: e.complete(CHAT), extra={"max_tokens": None, "max_completion_tokens": 9})
    assert fake.seen[0][1]["max_completion_tokens"] == 9 and "max_tokens" not in fake.seen[0][1]


def test_a_schema_is_asked_for_and_its_value_parsed():
    with Fake(Script(answer=lambda _: 'Thinking: {"score": 9} is too much.\n```json\n{"score": 3}\n```')) as fake:
        done, _ = run(fake.base_url, lambda e: e.complete(CHAT, schema=SCHEMA))
    assert done.parsed == {"score": 3} and done.attempts == 1
    form = fake.seen[0][1]["response_format"]
    assert form == {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}


@pytest.mark.parametrize("how, field", [(Structured.json_object, {"type": "json_object"}), (Structured.none, None)])
def test_where_a_schema_is_not_enforced_the_prompt_says_it(how, field):
    with Fake() as fake:
        parts = [{"role": "user", "content": [{"type": "text", "text": "Grade"}]}]
        done, _ = run(fake.base_url, lambda e: e.complete(parts, schema=SCHEMA), structured=how)
    body = fake.seen[0][1]
    assert done.parsed["score"] in range(6) and done.attempts == 1 and body.get("response_format") == field
    assert '"maximum":5' in body["messages"][-1]["content"][-1]["text"]


def test_an_answer_that_does_not_fit_is_repaired_once():
    answers = ["no idea", '{"score": 4}', "no idea", '{"score": 6}', '{"score": 4}']
    with Fake(Script(answer=lambda _: answers.pop(0))) as fake:

        async def calls(endpoint):
            fit = await endpoint.complete(CHAT, schema=SCHEMA)
            with pytest.raises(EndpointError, match="6 is greater than the maximum of 5") as caught:
                await endpoint.complete(CHAT, schema=SCHEMA, sample=1)
            return fit, caught.value.reason

        (fit, reason), metrics = run(fake.base_url, calls)
    assert fit.parsed == {"score": 4} and fit.attempts == 2
    assert reason is FailureReason.bad_output and len(fake.seen) == 4
    assert metrics["judge/repairs"] == 2 and metrics["judge/failed/bad_output"] == 1
    repair = fake.seen[1][1]["messages"]
    assert [m["role"] for m in repair] == ["system", "user", "assistant", "user"] and repair[2]["content"] == "no idea"


@pytest.mark.parametrize("mishap", [m for m in Mishap if m not in (Mishap.truncated_json, Mishap.wrong_language)])
def test_what_may_pass_is_tried_again(mishap):
    chaos = Chaos(delay_s=0.1, retry_after_s=0.1)
    with Fake(Script(first=[mishap], chaos=chaos)) as fake:
        done, metrics = run(fake.base_url, lambda e: e.complete(CHAT, schema=SCHEMA), read_timeout_s=0.3)
    assert done.parsed is not None
    assert done.attempts == fake.counts["requests"] == (1 if mishap is Mishap.delay else 2)
    assert metrics["judge/retries"] == done.attempts - 1


REASONS = {
    Mishap.drop: FailureReason.connection,
    Mishap.rate_limited: FailureReason.rate_limited,
    Mishap.rate_limited_mute: FailureReason.rate_limited,
    Mishap.server_error: FailureReason.server,
    Mishap.truncated_reply: FailureReason.server,
    Mishap.truncated_json: FailureReason.bad_output,
    Mishap.wrong_language: FailureReason.bad_output,
    Mishap.silent: FailureReason.timeout,
}


@pytest.mark.parametrize("mishap", REASONS)
def test_what_never_passes_ends_with_its_reason(mishap):
    with Fake(Script(chaos=Chaos(**{mishap.value: 1.0}, retry_after_s=0.05))) as fake:
        error = failure(fake.base_url, schema=SCHEMA, read_timeout_s=0.1, attempts=3)
    assert error.reason is REASONS[mishap]
    sent = 2 if error.reason is FailureReason.bad_output else 3
    assert fake.counts["requests"] == sent and f"requests sent: {sent}" in str(error)


def test_retry_after_is_obeyed_up_to_the_deadline():
    began = time.monotonic()
    with Fake(Script(first=[Mishap.rate_limited], chaos=Chaos(retry_after_s=0.3))) as fake:
        run(fake.base_url, lambda e: e.complete(CHAT))
    assert time.monotonic() - began >= 0.3
    began = time.monotonic()
    with Fake(Script(first=[Mishap.rate_limited], chaos=Chaos(retry_after_s=60))) as fake:
        error = failure(fake.base_url)
    assert error.reason is FailureReason.rate_limited and "would miss deadline_s" in str(error)
    assert time.monotonic() - began < 1


def test_the_deadline_holds_for_all_attempts_and_in_line():
    with Fake(Script(chaos=Chaos(silent=1.0))) as fake:

        async def calls(endpoint):
            began = time.monotonic()
            ended = await asyncio.gather(*(endpoint.complete(chat(i)) for i in range(3)), return_exceptions=True)
            return ended, time.monotonic() - began

        (ended, took), metrics = run(fake.base_url, calls, deadline_s=0.3, concurrency=1)
    assert [e.reason for e in ended] == [FailureReason.timeout] * 3 and took < 1
    assert "waiting for the endpoint's answer" in str(ended[0]) and "waiting in line" in str(ended[2])
    assert metrics["judge/failed/timeout"] == metrics["judge/calls"] == 3


def test_nobody_listens():
    error = failure("http://127.0.0.1:9/v1", attempts=2)
    assert error.reason is FailureReason.connection and "requests sent: 2" in str(error)


def test_what_makes_no_sense_to_repeat_is_not_repeated():
    for status, reason in ((400, "bad_request"), (401, "bad_request"), (404, "bad_request"), (413, "too_large"), (501, "server")):
        with raw(status, {}, b'{"error": {"message": "no"}}') as (url, seen):
            error = failure(url)
        assert error.reason == reason and f"{status}: no" in str(error) and len(seen) == 1
    with raw(429, {}, b'{"error": {"code": "insufficient_quota"}}') as (url, seen):
        assert failure(url).reason is FailureReason.rate_limited and len(seen) == 1


NO_COMPLETIONS = [b"", b"[]", b"<html>busy</html>", b'{"choices": []}', b'{"choices": [{"message": 3}]}', b"[" * 99999]


@pytest.mark.parametrize("body", NO_COMPLETIONS)
def test_a_reply_that_is_no_completion_is_the_servers_failure(body):
    with raw(200, {}, body) as (url, seen):
        error = failure(url, attempts=2)
    assert error.reason is FailureReason.server and len(seen) == 2


def test_chaos_loses_nothing():
    """Lock: calls, ends and requests add up, whatever goes wrong. The long run is in test_endpoints_load.py."""
    chaos = Chaos.even(0.45, silent=0.01, delay_s=0.05, retry_after_s=0.05)
    with Fake(Script((0.005, 0.01), chaos, seed=3)) as fake:

        async def calls(endpoint):
            asked = (endpoint.complete(chat(i % 250), schema=SCHEMA) for i in range(300))
            return await asyncio.gather(*asked, return_exceptions=True)

        ended, metrics = run(fake.base_url, calls, read_timeout_s=0.3, attempts=3, concurrency=32)
    assert len(ended) == 300 and {type(e) for e in ended} == {Completion, EndpointError}
    assert metrics["judge/calls"] == 300
    assert sum(metrics[f"judge/{end}"] for end in ("memory", "disk", "shared", "answered", "failed", "cancelled")) == 300
    assert metrics["judge/failed"] == sum(isinstance(e, EndpointError) for e in ended)
    assert metrics["judge/requests"] == fake.counts["requests"]
    assert all(fake.counts[m] for m in Mishap)
