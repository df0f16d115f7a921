"""Figures that the client must keep: nothing lost in chaos, little of its own time, known answers at once."""

from __future__ import annotations

import os

import pytest

from rl_align.endpoints import bench

pytestmark = pytest.mark.slow


@pytest.fixture
def cores():
    """One core for the client, one for the endpoint where there is a second."""
    mine = os.sched_getaffinity(0)
    first, *others = sorted(mine)
    os.sched_setaffinity(0, {others[-1] if others else first})
    yield first
    os.sched_setaffinity(0, mine)


def test_with_30_percent_mishaps_nothing_is_lost_and_most_throughput_is_kept(cores):
    figure = bench.chaos(8192, 64, cores)
    assert sum(figure["outcomes"].values()) == 8192
    assert set(figure["outcomes"]) <= {"Completion", "timeout", "rate_limited", "server", "connection", "bad_output"}
    assert figure["outcomes"]["Completion"] > 0.98 * 8192
    assert figure["requests"][0] == figure["requests"][1]
    assert 0.27 < figure["mishaps"] < 0.33
    assert figure["throughput"] >= 0.6


def test_4096_calls_take_hardly_longer_than_the_endpoint_does(cores):
    assert bench.calls(4096, 64, 0.2, cores)["ratio"] <= 1.15


def test_known_answers_come_at_once(cores):
    figures = list(bench.cache(4096))
    assert all(f["a_second"] >= 20_000 for f in figures if f["cache"] == "memory")
    assert max(f["a_second"] for f in figures if f["cache"] != "memory") >= 20_000
