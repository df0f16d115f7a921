"""Calibration: values worked out by hand, published examples, and scikit-learn and scipy where they are installed."""

from __future__ import annotations

import math
import random

import pytest

from reward.judges.calibration import cohen_kappa, expected_calibration_error, length_bias, position_bias


def pairs(table: dict[tuple[str, str], int]) -> tuple[list[str], list[str]]:
    """Two raters' labels with these counts."""
    rows = [pair for pair, n in table.items() for _ in range(n)]
    return [a for a, _ in rows], [b for _, b in rows]


def test_calibration_error_by_hand() -> None:
    """Bins (.4, .5]: 2 cases, half right, said .5; (.9, 1]: 4 cases, 3 right, said .95: 2/6·0 + 4/6·.2."""
    confidences = [0.5, 0.5, 0.95, 0.95, 0.95, 0.95]
    assert expected_calibration_error(confidences, [True, False, True, True, True, False]) == pytest.approx(4 / 6 * 0.2)
    assert expected_calibration_error([1.0, 0.0], [True, False]) == 0.0
    assert expected_calibration_error([0.0], [True]) == 1.0
    assert expected_calibration_error([], []) is None
    with pytest.raises(ValueError, match="1.5"):
        expected_calibration_error([1.5], [True])


def test_kappa_of_a_textbook_table() -> None:
    """20, 5, 10, 15 of 50: p_o = .7, p_e = .5, κ = .4. Its variance by the unweighted form of Fleiss et al. (1969)."""
    a, b = pairs({("y", "y"): 20, ("y", "n"): 5, ("n", "y"): 10, ("n", "n"): 15})
    got = cohen_kappa(a, b)
    assert got.value == pytest.approx(0.4)
    first = 0.4 * (1 - (0.5 + 0.6) * 0.6) ** 2 + 0.3 * (1 - (0.5 + 0.4) * 0.6) ** 2
    second = 0.6**2 * (0.1 * (0.6 + 0.5) ** 2 + 0.2 * (0.4 + 0.5) ** 2)
    se = math.sqrt((first + second - (0.4 - 0.5 * 0.6) ** 2) / (50 * 0.25))
    assert (got.high - got.low) / 2 == pytest.approx(1.959964 * se, rel=1e-5)


def test_kappa_of_fleiss_diagnoses() -> None:
    """Fleiss (1981): 100 diagnoses by two raters, κ = .68."""
    table = {("p", "p"): 75, ("p", "n"): 1, ("p", "o"): 4, ("n", "p"): 5, ("n", "n"): 4, ("n", "o"): 1, ("o", "o"): 10}
    assert cohen_kappa(*pairs(table)).value == pytest.approx(0.6765, abs=5e-5)


def test_weighted_kappa_by_hand() -> None:
    """Grades 0, 1, 2: (0,0), (1,1), (2,0), linear weights 1, 1/2, 0: p_o = 2/3, p_e = 1/2 over nine cells, κ = 1/3."""
    a, b = [0, 1, 2], [0, 1, 0]
    chance = sum((1 - abs(i - j) / 2) * (1 / 3) * share for i in range(3) for j, share in ((0, 2 / 3), (1, 1 / 3), (2, 0)))
    assert cohen_kappa(a, b, order=[0, 1, 2], power=1).value == pytest.approx((2 / 3 - chance) / (1 - chance))
    assert cohen_kappa([0, 2], [2, 0], order=[0, 1, 2], power=2).value == pytest.approx(-1.0)
    with pytest.raises(ValueError, match="order"):
        cohen_kappa(a, b, power=1)


def test_kappa_of_full_agreement_and_of_one_label() -> None:
    got = cohen_kappa("aabb", "aabb")
    assert (got.value, got.low, got.high) == (1.0, 1.0, 1.0)
    assert cohen_kappa("aaaa", "aaaa").value is None
    assert cohen_kappa("", "").value is None


def test_position_bias_by_hand() -> None:
    """Ten pairs: 4 consistent (one tie), 5 first twice, 1 second twice: sign test 2·(1 + 6) / 64."""
    got = position_bias([(1, 2), (2, 1), (2, 1), (0, 0), *[(1, 1)] * 5, (2, 2)])
    assert (got.consistency.value, got.first, got.second) == (0.4, 5, 1)
    assert got.p_value == pytest.approx(14 / 64)
    assert position_bias([(1, 1), (2, 2)]).p_value == 1.0
    assert position_bias([]).consistency.value is None and position_bias([]).p_value == 1.0


def test_length_bias_by_hand() -> None:
    """Errors 0, 1, 1, 2 against lengths 10, 20, 30, 40: ranks 1, 2.5, 2.5, 4, so ρ = 4.5 / √(4.5 · 5)."""
    got = length_bias([1, 2, 1, 3], [1, 1, 0, 1], [10, 20, 30, 40])
    assert got.value == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    half = 1.959964 * math.sqrt(1 + got.value**2 / 2)
    assert math.atanh(got.high) - math.atanh(got.value) == pytest.approx(half, rel=1e-5)


def test_length_bias_is_of_errors_and_not_of_scores() -> None:
    """A judge that agrees with people has none, however much longer good texts are."""
    assert length_bias([1, 2, 3, 4], [1, 2, 3, 4], [10, 20, 30, 40]).value is None
    assert length_bias([1, 2, 3, 5], [0, 0, 0, 0], [1, 2, 3, 4]).value == 1.0
    assert length_bias([], [], []).value is None
    with pytest.raises(ValueError):
        length_bias([1, 2], [1, 2], [1])


def test_against_scikit_learn() -> None:
    from sklearn import metrics  # slow to import

    rng = random.Random(1)
    a, b = [rng.randrange(6) for _ in range(200)], [rng.randrange(6) for _ in range(200)]
    for power, weights in ((0, None), (1, "linear"), (2, "quadratic")):
        assert cohen_kappa(a, b, range(6), power).value == pytest.approx(metrics.cohen_kappa_score(a, b, weights=weights))


def test_against_scipy() -> None:
    from scipy import stats

    rng = random.Random(2)
    scores, labels, lengths = ([rng.randrange(6) for _ in range(50)] for _ in range(3))
    errors = [s - y for s, y in zip(scores, labels, strict=True)]
    assert length_bias(scores, labels, lengths).value == pytest.approx(stats.spearmanr(errors, lengths).statistic)
    assert position_bias([*[(1, 1)] * 9, *[(2, 2)] * 3]).p_value == pytest.approx(stats.binomtest(3, 12).pvalue)
