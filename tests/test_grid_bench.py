"""The matrix beside a bare client at one scripted endpoint: the same requests, and every figure that it promises."""

from __future__ import annotations

import json

import pytest

from rl_align.endpoints.fake import Fake, Script
from rl_align.eval.bench import bench

pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")


def test_both_ask_the_same_and_the_ratio_is_that_of_the_sums():
    lines: list[str] = []
    with Fake(Script(latency_s=(0.001, 0.01))) as fake:
        rows = bench(fake.base_url, "fake", count=12, concurrency=4, rounds=2, max_tokens=33, console=lines.append)
        bodies = [json.dumps(body, sort_keys=True) for _, body in fake.seen]
    assert [json.loads(line) for line in lines] == rows and len(bodies) == 4 + 4 + 4 * 12
    once = bodies[8:20]
    assert len(set(once)) == 12 and sorted(bodies[8:]) == sorted(once * 4), "the bare client sends what the matrix sends"
    assert [(r["client"], r["round"]) for r in rows[:4]] == [("bare", 1), ("matrix", 1), ("matrix", 2), ("bare", 2)]
    assert {(r["answers"], r["tokens"]) for r in rows[:4]} == {(12, rows[0]["tokens"])} and rows[0]["tokens"] > 12
    for client in ("bare", "matrix"):
        own = [r for r in rows[:4] if r["client"] == client]
        assert abs(rows[4][client] - sum(r["tokens"] for r in own) / sum(r["seconds"] for r in own)) < 0.1
    assert abs(rows[4]["ratio"] - rows[4]["matrix"] / rows[4]["bare"]) < 0.001
