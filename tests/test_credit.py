"""Credit assignment: the estimators by hand, who competes with whom, and what each status means."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reward.credit import ESTIMATORS, Row, assign, has_signal
from rl_align.schema import STATUS_RULES, Seat, Status

W = {"a": 0.5, "b": 0.5}


def row(uid, session, reward=None, seat=Seat.RESPONDER, status=Status.OK, **components):
    return Row(uid, str(session), seat, status, reward, components)


def test_grpo_by_hand():
    result = assign([row("p", 0, 1.0), row("p", 1, 0.0)])
    assert result.advantage == pytest.approx([math.sqrt(0.5), -math.sqrt(0.5)], abs=1e-5)
    assert result.keep == [True, True]


def test_dr_grpo_by_hand():
    assert assign([row("p", i, r) for i, r in enumerate([1.0, 0.0, 0.5])], "dr_grpo").advantage == [0.5, -0.5, 0.0]


def test_a_group_of_one_scored_row_teaches_nothing_and_is_counted():
    result = assign([row("p", 0, 1.0), row("p", 1, None, status=Status.JUDGE_UNSCORED), row("q", 0, None)])
    assert result.keep == [False] * 3 and result.advantage == [0.0] * 3
    assert result.lonely_groups == 2


@pytest.mark.parametrize("status", list(Status))
def test_status_table(status):
    """Locks DESIGN.md's table: who joins the baseline, and who may get an advantage."""
    rule = STATUS_RULES[status]
    rows = [row("p", 0, 1.0), row("p", 1, 0.0), row("p", 2, 0.8, status=status)]
    result = assign(rows, "dr_grpo")
    mean = (1.0 + 0.0 + 0.8) / 3 if rule.in_baseline else 0.5
    assert result.advantage[0] == pytest.approx(1.0 - mean)
    assert result.keep[2] is rule.gets_advantage


def test_the_status_table_is_the_designs():
    in_baseline = {s for s, rule in STATUS_RULES.items() if rule.in_baseline}
    assert in_baseline == {Status.OK, Status.TRUNCATED, Status.PARSE_ERROR}
    assert {s for s, rule in STATUS_RULES.items() if rule.gets_advantage} == in_baseline
    assert {s for s, rule in STATUS_RULES.items() if rule.retried} == {
        Status.PARTNER_ERROR, Status.JUDGE_UNSCORED, Status.TIMEOUT,
    }  # fmt: skip
    assert all(rule.counted for rule in STATUS_RULES.values())


def test_masked_truncated_rows_stay_in_the_baseline():
    rows = [row("p", 0, 1.0), row("p", 1, 0.0, status=Status.TRUNCATED)]
    masked, paid = assign(rows, "dr_grpo", mask_truncated=True), assign(rows, "dr_grpo")
    assert masked.keep == [True, False] and paid.keep == [True, True]
    assert masked.advantage == [0.5, 0.0]


def test_two_seats_are_hierarchical_peers():
    """Rewrites of a prompt compete by the mean of their responses; responses compete under one rewrite."""
    rewriter = Seat.REWRITER
    rows = [
        row("p", 0, seat=rewriter), row("p", 0, 1.0), row("p", 0, 0.0),
        row("p", 1, seat=rewriter), row("p", 1, 0.9), row("p", 1, None, status=Status.TIMEOUT),
        row("p", 2, seat=rewriter), row("p", 2, None, status=Status.TIMEOUT), row("p", 2, None, status=Status.TIMEOUT),
        None,
    ]  # fmt: skip
    result = assign(rows, "dr_grpo")
    assert [r and r.reward for r in result.rows][0:7:3] == [0.5, 0.9, None]
    assert result.advantage == pytest.approx([-0.2, 0.5, -0.5, 0.2, 0, 0, 0, 0, 0, 0])
    assert result.keep == [True, True, True, True] + [False] * 6


def test_a_rewrite_with_a_reward_of_its_own_keeps_it_and_its_components():
    rewriter = Seat.REWRITER
    rows = [
        row("p", 0, 0.9, seat=rewriter, threat=1.0), row("p", 0, 0.0), row("p", 0, 0.2),
        row("p", 1, 0.1, seat=rewriter, threat=0.0),  # could not be handed on: it has no responses, and is still scored
    ]  # fmt: skip
    result = assign(rows, "dr_grpo")
    assert [result.rows[0].reward, result.rows[3].reward] == [0.9, 0.1] and result.rows[0].components == {"threat": 1.0}
    assert result.advantage == pytest.approx([0.4, -0.1, 0.1, -0.4]) and all(result.keep)


def test_gdpo_does_not_let_a_large_component_drown_a_small_one():
    rows = [row("p", i, 0.0, a=a, b=b) for i, (a, b) in enumerate([(0, 100), (1, 0), (0, 0), (1, 100)])]
    advantage = assign(rows, "gdpo", W).advantage
    assert advantage[0] == pytest.approx(advantage[1], abs=1e-4) and advantage[2] < 0 < advantage[3]
    assert sum(advantage) == pytest.approx(0, abs=1e-9)


def test_gdpo_leaves_unscored_components_out():
    rows = [row("p", 0, 0.0, a=1.0, b=None), row("p", 1, 0.0, a=0.0, b=None)]
    advantage = assign(rows, "gdpo", W).advantage
    assert advantage[0] > 0 > advantage[1]


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="unknown estimator"):
        assign([], "ppo")
    with pytest.raises(ValueError, match="weights"):
        assign([], "gdpo")


def test_nothing_but_padding():
    assert assign([None, None]).keep == [False, False]
    assert not has_signal([None]) and not has_signal([])


rewards = st.none() | st.floats(-1, 1, width=32)
batches = st.lists(
    st.builds(
        lambda uid, session, reward, status: Row(uid, str(session), Seat.RESPONDER, status, reward, {"a": reward, "b": 1.0}),
        st.sampled_from("pqr"), st.integers(0, 7), rewards, st.sampled_from(Status),
    )
    | st.none(),
    max_size=24,
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(batches, st.sampled_from(ESTIMATORS), st.randoms())
def test_order_does_not_matter_and_nothing_unscored_is_kept(rows, estimator, rng):
    result = assign(rows, estimator, W)
    order = list(range(len(rows)))
    rng.shuffle(order)
    again = assign([rows[i] for i in order], estimator, W)
    for j, i in enumerate(order):
        assert again.advantage[j] == pytest.approx(result.advantage[i], abs=1e-6)
        assert again.keep[j] == result.keep[i]
    for r, advantage, keep in zip(rows, result.advantage, result.keep, strict=True):
        assert keep or advantage == 0.0
        assert not keep or (r is not None and r.scored)


@settings(deadline=None, max_examples=100)
@given(batches)
def test_the_sampler_and_the_trainer_agree(rows):
    mine = [r for r in rows if r is None or r.uid == "p"]
    result = assign(mine, "dr_grpo")
    assert has_signal(mine, "dr_grpo") == any(abs(a) > 1e-6 for a in result.advantage) or not any(result.keep)


def test_cost_of_a_batch():
    """Own code stays under a millisecond a rollout; credit is a small part of it."""
    import time

    rng = random.Random(0)
    rows = [row(f"p{i // 8}", i % 8, rng.random(), a=rng.random(), b=rng.random()) for i in range(1024)]
    begun = time.perf_counter()
    assign(rows, "gdpo", W)
    assert (time.perf_counter() - begun) / 1024 < 0.0005
