"""The bench of judging, small: that it measures what it says, not how fast this machine is."""

from __future__ import annotations

from rl_align.pipeline.judge_bench import bench


def test_every_opinion_is_asked_for_once_and_known_from_then_on():
    said: list[str] = []
    found = bench(40, concurrency=8, latency_s=0.02, say=said.append)
    assert found["ratio"] >= 1.0 and found["ms"] > 0 and found["known"] > 0
    assert "40 opinions of 20 ms, 8 at a time" in said[0] and "known opinions/s" in said[1]
