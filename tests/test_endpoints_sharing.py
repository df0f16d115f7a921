"""What calls of one endpoint share: answers, slots, rates, budgets, and the object itself over event loops and processes."""

from __future__ import annotations

import asyncio
import gc
import pickle
import threading
import time

import pytest
from scripted import CHAT, SCHEMA, chat, config, run

from rl_align.endpoints.chaos import Chaos, Mishap
from rl_align.endpoints.client import Endpoint
from rl_align.endpoints.fake import Fake, Script
from rl_align.endpoints.types import EndpointError, FailureReason, Sampling


def test_identical_calls_are_sent_once_and_survive_the_one_that_gives_up():
    with Fake(Script((0.2, 0.2))) as fake:

        async def calls(endpoint):
            tasks = [asyncio.create_task(endpoint.complete(CHAT, schema=SCHEMA)) for _ in range(20)]
            await asyncio.sleep(0.1)
            tasks[0].cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

        (first, *others), metrics = run(fake.base_url, calls)
    assert isinstance(first, asyncio.CancelledError) and fake.counts["requests"] == 1
    assert all(o.parsed == others[0].parsed and o.cached and o.attempts == 0 for o in others)
    others[0].parsed["score"] = "changed by its owner"
    assert others[1].parsed["score"] != others[0].parsed["score"]
    assert (metrics["judge/cancelled"], metrics["judge/shared"], metrics["judge/calls"]) == (1, 19, 20)


def test_a_call_that_nobody_waits_for_ends_and_can_be_made_again():
    with Fake(Script((0.15, 0.15))) as fake:

        async def calls(endpoint):
            task = asyncio.create_task(endpoint.complete(CHAT))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.wait([task])
            return await endpoint.complete(CHAT)

        done, metrics = run(fake.base_url, calls, concurrency=1)
    assert done.attempts == 1 and fake.counts["requests"] == 2


def test_who_joins_late_has_a_deadline_of_its_own():
    """The first caller's time runs out, the second one's does not, and the request is sent once."""
    with Fake(Script((0.5, 0.5))) as fake:

        async def calls(endpoint):
            first = asyncio.create_task(endpoint.complete(CHAT))
            await asyncio.sleep(0.3)
            return await asyncio.gather(first, endpoint.complete(CHAT), return_exceptions=True)

        (early, late), metrics = run(fake.base_url, calls, deadline_s=0.4)
    assert isinstance(early, EndpointError) and early.reason is FailureReason.timeout and "0.4 s" in str(early)
    assert late.text and late.cached and fake.counts["requests"] == 1
    assert (metrics["judge/failed"], metrics["judge/shared"]) == (1, 1)


def test_everybody_has_a_failure_of_their_own():
    with Fake(Script((0.05, 0.05), chaos=Chaos(server_error=1.0))) as fake:

        async def calls(endpoint):
            return await asyncio.gather(*(endpoint.complete(CHAT) for _ in range(3)), return_exceptions=True)

        ended, _ = run(fake.base_url, calls, attempts=1)
    assert len({id(e) for e in ended}) == 3 and {e.reason for e in ended} == {FailureReason.server}


def test_concurrency_is_bounded_and_calls_that_have_begun_go_first():
    order: list[str] = []

    def answer(body):
        order.append(body["messages"][-1]["content"])
        return "fine"

    with Fake(Script((0.01, 0.01), first=[Mishap.server_error], answer=answer)) as fake:

        async def calls(endpoint):
            await asyncio.gather(*(endpoint.complete(chat(i)) for i in range(12)))

        run(fake.base_url, calls, concurrency=2, backoff_s=0.001)
    assert fake.most <= 2 and len(order) == 12
    assert order.index("0") < 6


def test_votes_versions_and_sampling_are_other_calls_and_failures_are_not_kept():
    with Fake(Script(first=[Mishap.server_error])) as fake:

        async def calls(endpoint):
            with pytest.raises(EndpointError):
                await endpoint.complete(CHAT)
            for _ in range(2):
                for asked in ({}, {"sample": 1}, {"version": "2"}, {"schema": SCHEMA}, {"sampling": Sampling(seed=1)}):
                    last = await endpoint.complete(CHAT, **asked)
            return last

        last, metrics = run(fake.base_url, calls, attempts=1)
    assert fake.counts["ok"] == 5 and metrics["judge/memory"] == 5
    assert last.cached and last.attempts == 0 and last.cost == 0


@pytest.mark.parametrize("limit", [{"budget_calls": 3}, {"budget_tokens": 400}, {"budget_cost": 4e-4, "price_completion": 1.0}])
def test_a_budget_is_never_overrun_and_says_which(limit):
    with Fake(Script((0.02, 0.02), answer=lambda _: "x" * 400)) as fake:

        async def calls(endpoint):
            asked = (endpoint.complete(chat(i), Sampling(max_tokens=100)) for i in range(12))
            return await asyncio.gather(*asked, return_exceptions=True)

        ended, metrics = run(fake.base_url, calls, concurrency=4, **limit)
    errors = [e for e in ended if isinstance(e, EndpointError)]
    assert {e.reason for e in errors} == {FailureReason.budget}
    assert next(iter(limit)) in str(errors[0])
    assert 1 <= len(ended) - len(errors) == fake.counts["requests"] <= 4
    if "budget_tokens" in limit:
        assert metrics["judge/prompt_tokens"] + metrics["judge/completion_tokens"] <= 400
    if "budget_cost" in limit:
        assert 0 < metrics["judge/cost"] <= 4e-4


def test_calls_that_fit_the_budget_one_after_the_other_fit_it_at_once():
    with Fake(Script((0.02, 0.02), answer=lambda _: "x" * 40)) as fake:

        async def calls(endpoint):
            return await asyncio.gather(*(endpoint.complete(chat(i), Sampling(max_tokens=512)) for i in range(20)))

        done, metrics = run(fake.base_url, calls, budget_tokens=2000, concurrency=8)
    assert len(done) == 20 and metrics["judge/prompt_tokens"] + metrics["judge/completion_tokens"] <= 2000
    assert 1 < fake.most < 8, "as many at once as there is room for"


def test_rate_limits_space_requests_out():
    with Fake() as fake:

        async def calls(endpoint):
            began = time.monotonic()
            await asyncio.gather(*(endpoint.complete(chat(i)) for i in range(15)))
            return time.monotonic() - began

        took, _ = run(fake.base_url, calls, requests_per_minute=600)  # a burst of 10, then one each 0.1 s
    assert 0.35 < took < 1.5


def test_a_turn_beyond_the_deadline_is_refused_at_once():
    with Fake() as fake:

        async def calls(endpoint):
            await endpoint.complete(chat(0))
            began = time.monotonic()
            with pytest.raises(EndpointError, match="tokens_per_minute") as caught:
                await endpoint.complete(chat(1))
            return caught.value.reason, time.monotonic() - began

        (reason, took), _ = run(fake.base_url, calls, tokens_per_minute=10)
    assert reason is FailureReason.rate_limited and took < 0.5 and fake.counts["requests"] == 1


def test_one_event_loop_after_the_other(tmp_path):
    """Lock: trainers call `asyncio.run` once a step."""
    with Fake(Script((0.01, 0.02))) as fake:
        endpoint = Endpoint(config(fake.base_url, cache=str(tmp_path / "cache.sqlite")))

        async def some(start):
            return await asyncio.gather(*(endpoint.complete(chat(i)) for i in range(start, start + 5)))

        async def closed(start):
            async with endpoint:
                return await some(start)

        for start in (0, 5):
            assert [c.cached for c in asyncio.run(closed(start))] == [False] * 5
        for start in (8, 13):  # never closed in between
            assert sum(c.cached for c in asyncio.run(some(start))) == (2 if start == 8 else 0)
        assert all(c.cached for c in asyncio.run(closed(0)))
        gc.collect()
    assert fake.counts["requests"] == 18 and endpoint.metrics()["judge/answered"] == 18


def test_closing_ends_what_is_under_way():
    with Fake(Script(chaos=Chaos(silent=1.0))) as fake:

        async def main():
            async with Endpoint(config(fake.base_url)) as endpoint:
                calls = [asyncio.create_task(endpoint.complete(chat(i))) for i in range(3)]
                await asyncio.sleep(0.1)
            return await asyncio.gather(*calls, return_exceptions=True)

        assert [e.reason for e in asyncio.run(main())] == [FailureReason.connection] * 3


def test_closing_ends_what_still_looks_into_the_file(tmp_path):
    with Fake() as fake:

        async def main():
            async with Endpoint(config(fake.base_url, cache=str(tmp_path / "cache.sqlite"))) as endpoint:
                call = asyncio.create_task(endpoint.complete(CHAT))
                await asyncio.sleep(0)
            return await asyncio.gather(call, return_exceptions=True)

        (ended,) = asyncio.run(main())
    assert ended.reason is FailureReason.connection and not fake.counts["requests"]


def test_one_that_is_dropped_leaves_no_connection_open(recwarn):
    with Fake() as fake:

        async def main():
            endpoint = Endpoint(config(fake.base_url))
            await endpoint.complete(CHAT)
            del endpoint
            gc.collect()

        asyncio.run(main())
    assert not [w for w in recwarn if issubclass(w.category, ResourceWarning)]


def test_two_running_loops_are_refused():
    with Fake(Script((0.3, 0.3))) as fake:
        endpoint = Endpoint(config(fake.base_url))
        other = threading.Thread(target=lambda: asyncio.run(endpoint.complete(CHAT)))
        other.start()
        time.sleep(0.1)
        with pytest.raises(RuntimeError, match="two running event loops"):
            asyncio.run(endpoint.complete(chat(1)))
        other.join()
        asyncio.run(endpoint.aclose())


def test_errors_and_endpoints_travel_between_processes():
    error = pickle.loads(pickle.dumps(EndpointError(FailureReason.budget, "spent")))
    assert error.reason is FailureReason.budget and str(error) == "budget: spent"
    endpoint = pickle.loads(pickle.dumps(Endpoint(config("http://127.0.0.1:9/v1"))))
    assert repr(endpoint) == "Endpoint('fake' at 'http://127.0.0.1:9/v1')"
