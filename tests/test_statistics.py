"""Shares, precision, recall and F1 with their intervals: by hand, published, by simulation, against scikit-learn."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_align.statistics import Confusion, Estimate, confusion, f1, f1_resampled, precision, recall, share, wilson


def test_wilson_against_published_values():
    """Newcombe 1998, table I, method 3: 81/263, 15/148, 0/20 and 1/29."""
    for count, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson(count, n) == pytest.approx((low, high), abs=5e-5)
    with pytest.raises(ValueError):
        wilson(3, 2)


@given(st.integers(1, 5000), st.data())
@settings(deadline=None, max_examples=100)
def test_the_interval_holds_the_share_and_mirrors(n, data):
    count = data.draw(st.integers(0, n))
    low, high = wilson(count, n)
    assert 0 <= low <= count / n <= high <= 1
    mirrored = wilson(n - count, n)
    assert math.isclose(low, 1 - mirrored[1], abs_tol=1e-12) and math.isclose(high, 1 - mirrored[0], abs_tol=1e-12)


def test_a_share_without_cases_is_unknown_not_zero():
    assert share(0, 0) == Estimate(None, 0.0, 1.0)
    assert share(0, 5).value == 0.0


def test_confusion_keeps_unscored_verdicts_apart():
    got = confusion([True, True, False, False, None, None], [True, False, True, False, True, False])
    assert got == Confusion(tp=1, fp=1, fn=1, tn=1, unscored=2)


def test_a_false_alarm_is_a_verdict_that_people_do_not_share():
    """Lock: verdicts first, then labels; exchanged, precision and recall would change places and F1 would not tell."""
    pairs = [(True, True)] * 8 + [(True, False)] * 2 + [(False, True)] * 4 + [(False, False)] * 6
    c = confusion(*zip(*pairs, strict=True))
    assert c == Confusion(tp=8, fp=2, fn=4, tn=6)
    assert (precision(c).value, recall(c).value, f1(c).value) == (0.8, 8 / 12, 16 / 22)


def test_rates_of_a_judge_of_msts():
    """GPT-4o against people on MSTS: 181 unsafe of 4,000 answers; precision .19, recall .91, F1 .31."""
    gpt4o = Confusion(tp=164, fp=705, fn=17, tn=3114)
    assert precision(gpt4o).value == pytest.approx(164 / 869)
    assert recall(gpt4o).value == pytest.approx(164 / 181)
    assert f1(gpt4o).value == pytest.approx(328 / 1050)
    gemini = Confusion(tp=123, fp=111, fn=58, tn=3708)
    assert f1(gemini).value == pytest.approx(0.593, abs=5e-4)
    assert f1(gemini).low > f1(gpt4o).high


def test_precision_and_recall_have_wilsons_interval():
    """8 of 10 (Wilson 1927): centre (.8 + z²/20) / (1 + z²/10), so [.4902, .9433]."""
    for got in (precision(Confusion(8, 2, 0, 0)), recall(Confusion(8, 0, 2, 0))):
        assert (got.value, got.low, got.high) == pytest.approx((0.8, 0.4902, 0.9433), abs=5e-5)
    assert recall(Confusion(0, 5, 0, 5)).value is None
    assert precision(Confusion(5, 0, 0, 0)).high == 1.0 and precision(Confusion(0, 5, 0, 0)).low == 0.0


def test_f1_interval_by_hand_and_by_simulation():
    """J = 6 / 10 has Wilson's [.3127, .8318]; 2J / (1 + J) makes [.4764, .9082] of it. It covers the truth 95 times of 100."""
    got = f1(Confusion(6, 3, 1, 90))
    assert (got.value, got.low, got.high) == pytest.approx((0.75, 0.4764, 0.9082), abs=1e-4)
    rng = random.Random(0)
    shares = {"tp": 0.2, "fp": 0.1, "fn": 0.05, "tn": 0.65}
    truth, covered = 2 * 0.2 / (2 * 0.2 + 0.15), 0
    for _ in range(400):
        drawn = rng.choices(list(shares), list(shares.values()), k=200)
        interval = f1(Confusion(**{name: drawn.count(name) for name in shares}))
        covered += interval.low <= truth <= interval.high
    assert 0.92 <= covered / 400 <= 0.98


def test_f1_by_resampling_repeats_itself_and_gives_the_published_figures():
    """Lock: reward/CALIBRATION.md prints these intervals of XSTest's full refusals and of MSTS's refusals."""
    xstest, msts = f1_resampled(Confusion(20, 1, 0, 31)), f1_resampled(Confusion(2, 3, 0, 20))
    assert [f"{v:.3f}" for v in (xstest.value, msts.value)] == ["0.976", "0.571"]
    assert [f"{v:.2f}" for v in (xstest.low, xstest.high, msts.low, msts.high)] == ["0.91", "1.00", "0.00", "1.00"]
    assert xstest == f1_resampled(Confusion(20, 1, 0, 31))


@pytest.mark.parametrize("of", [f1, f1_resampled])
def test_f1_of_nothing_is_undefined_and_of_no_hit_zero(of):
    assert of(Confusion(0, 0, 0, 10)) == Estimate(None, 0.0, 1.0)
    assert of(Confusion(0, 1, 1, 0)).value == 0.0


def test_against_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = random.Random(1)
    labels = [rng.random() < 0.3 for _ in range(200)]
    verdicts = [x if rng.random() < 0.8 else not x for x in labels]
    c = confusion(verdicts, labels)
    assert precision(c).value == pytest.approx(metrics.precision_score(labels, verdicts))
    assert recall(c).value == pytest.approx(metrics.recall_score(labels, verdicts))
    assert f1(c).value == pytest.approx(metrics.f1_score(labels, verdicts))
