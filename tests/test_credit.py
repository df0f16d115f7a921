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


def row(uid, session, reward=None, seat=Seat.RESPONDER, status=Status.OK, gate=None, **components):
    return Row(uid, str(session), seat, status, reward, components, gate)


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


def test_gdpo_by_hand():
    """Each component within its group, the weighted sum, then the batch: groups of two become ±1/√2 a component."""
    rows = [
        row("p", 0, 0.0, a=1.0, b=0.0),
        row("p", 1, 0.0, a=0.0, b=0.0),
        row("q", 0, 0.0, a=1.0, b=9.0),
        row("q", 1, 0.0, a=0.0, b=0.0),
    ]
    w = math.sqrt(0.5)
    total = [w, -w, 3 * w, -3 * w]
    scale = math.sqrt(sum(t * t for t in total) / 3)
    assert assign(rows, "gdpo", {"a": 1.0, "b": 2.0}).advantage == pytest.approx([t / scale for t in total], abs=1e-4)


def test_gdpo_a_component_that_one_row_alone_has_says_nothing():
    rows = [row("p", 0, 0.0, a=1.0, b=5.0), row("p", 1, 0.0, a=0.0, b=None)]
    assert assign(rows, "gdpo", W).advantage == pytest.approx(
        assign([row("p", 0, 0.0, a=1.0), row("p", 1, 0.0, a=0.0)], "gdpo", W).advantage
    )


def test_gdpo_masked_rows_do_not_shift_the_others():
    """Lock: a flat group has no advantage, whatever was masked in another."""
    cut = Status.TRUNCATED
    rows = [row("p", 0, 1.0, a=1.0), row("p", 1, 0.0, a=0.0, status=cut), row("q", 0, 0.5, a=0.5), row("q", 1, 0.5, a=0.5)]
    result = assign(rows, "gdpo", {"a": 1.0}, mask_truncated=True)
    assert result.advantage[0] > 0 and result.advantage[1:] == [0.0, 0.0, 0.0] and result.keep == [True, False, True, True]
    assert result.advantage[0] == assign(rows, "gdpo", {"a": 1.0}).advantage[0], "the batch is normalised before masking"


gates = st.sampled_from([None, None, "format", "truncated", "behaviour"])
gated = st.lists(
    st.builds(
        lambda uid, session, a, b, gate: Row(uid, str(session), Seat.RESPONDER, Status.OK, 0.0, {"a": a, "b": b}, gate),
        st.sampled_from("pq"), st.integers(0, 7), st.none() | st.floats(-1, 1, width=32), st.none() | st.floats(0, 5), gates,
    ),
    max_size=16,
)  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(gated, st.booleans())
def test_gdpo_never_pays_a_row_whose_gate_has_closed(rows, mask):
    result = assign(rows, "gdpo", {"a": 1.0, "b": -0.5}, mask_truncated=mask)
    assert all(row.gate is None or a <= 1e-9 for row, a in zip(result.rows, result.advantage, strict=True))


def test_gdpo_a_closed_gate_costs_what_the_row_would_have_earned():
    """As good as its sibling in every component, unasked by the judge, and out of the grammar."""
    rows = [row("p", 0, 1.0, a=1.0, judge=1.0), row("p", 1, 0.0, a=1.0, judge=None, gate="format")]
    advantage = assign(rows, "gdpo", {"a": 0.5, "judge": 0.5}).advantage
    assert advantage[0] > 0 > advantage[1]
    worse = [row("p", 0, 1.0, harm=2.0), row("p", 1, 0.0, harm=0.0, gate="format")]
    assert assign(worse, "gdpo", {"harm": -1.0}).advantage == [0.0, 0.0], "harm is worst where it is highest"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_what_is_no_finite_number_is_unscored_and_counted(estimator, bad):
    for broken in (row("p", 2, bad, a=0.5, b=0.5), row("p", 2, 0.5, a=bad, b=0.5)):
        rows = [row("p", 0, 1.0, a=1.0, b=1.0), row("p", 1, 0.0, a=0.0, b=0.0), broken]
        result = assign(rows, estimator, W)
        assert result.not_finite == 1 and result.keep == [True, True, False]
        assert result.advantage == assign(rows[:2], estimator, W).advantage + [0.0]
        assert result.rows[2].reward is None and result.rows[2].status is Status.JUDGE_UNSCORED
        assert not has_signal([rows[0], broken], estimator, W)
    assert assign([row("p", 0, 1.0), row("p", 1, None)]).not_finite == 0


def test_rewrites_compete_with_rewrites_and_never_with_answers_to_the_prompt():
    """The rows of `cotrain: shared`: answers to the prompt itself have no rewrite above them."""
    rewriter = Seat.REWRITER
    rows = [
        row("p", 0, 1.0), row("p", 1, 0.0),
        row("p", 2, 0.4, seat=rewriter), row("p", 2, 0.9), row("p", 2, 0.7),
        row("p", 3, 0.2, seat=rewriter), row("p", 3, 0.1), row("p", 3, 0.3),
    ]  # fmt: skip
    assert assign(rows, "dr_grpo").advantage == pytest.approx([0.5, -0.5, 0.1, 0.1, -0.1, -0.1, -0.1, 0.1])


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
@given(batches, st.sampled_from(ESTIMATORS), st.booleans())
def test_the_sampler_and_the_trainer_agree(rows, estimator, mask):
    mine = [r for r in rows if r is None or r.uid == "p"]
    result = assign(mine, estimator, W, mask)
    learns = any(keep and abs(a) > 1e-6 for a, keep in zip(result.advantage, result.keep, strict=True))
    assert has_signal(mine, estimator, W, mask) is learns
    assert result.lonely_groups + result.flat_groups == int(not learns and any(mine))


@pytest.mark.parametrize("mask", [True, False])
def test_nothing_is_learnt_from_a_group_that_was_cut_off_and_is_masked(mask):
    rows = [row("p", 0, 1.0, status=Status.TRUNCATED), row("p", 1, 0.0, status=Status.TRUNCATED)]
    assert has_signal(rows, "dr_grpo", mask_truncated=mask) is (not mask)
    assert assign(rows, "dr_grpo", mask_truncated=mask).flat_groups == int(mask)


def test_gdpo_components_that_cancel_are_no_signal():
    rows = [row("p", 0, 0.5, a=1.0, b=0.0), row("p", 1, 0.5, a=0.0, b=1.0)]
    assert assign(rows, "gdpo", W).advantage == pytest.approx([0.0, 0.0], abs=1e-9) and assign(rows, "gdpo", W).flat_groups == 1
    assert not has_signal(rows, "gdpo", W) and has_signal(rows, "gdpo", {"a": 0.7, "b": 0.3})


def test_cost_of_a_batch():
    """Own code stays under a millisecond a rollout; credit is a small part of it."""
    import time

    rng = random.Random(0)
    rows = [row(f"p{i // 8}", i % 8, rng.random(), a=rng.random(), b=rng.random()) for i in range(1024)]
    begun = time.perf_counter()
    assign(rows, "gdpo", W)
    assert (time.perf_counter() - begun) / 1024 < 0.0005
