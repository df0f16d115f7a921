"""Shares with their intervals, tests of paired ones, and how well yes-or-no verdicts agree with labels. Pure."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

#: 97.5 % quantile of the normal distribution: two-sided 95 % intervals.
Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval. `value` is None where it is not defined: unknown, not 0. The interval then says nothing."""

    value: float | None
    low: float
    high: float


def wilson(count: float, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927).

    Args:
        count: Successes, 0 … n. A sum of scores in [0, 1] gives too wide an interval: nothing spreads more than yes and no.
        n: Cases; 0 gives (0, 1).

    Raises:
        ValueError: A count outside 0 … n.
    """
    if not 0 <= count <= n:
        raise ValueError(f"{count} successes among {n} cases")
    if n == 0:
        return 0.0, 1.0
    p, z2 = count / n, Z_95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    # At the ends the exact bound is 0 or 1; rounding must not push it past the share itself.
    return (0.0 if count == 0 else max(0.0, centre - half)), (1.0 if count == n else min(1.0, centre + half))


def share(count: int, n: int) -> Estimate:
    """`count` of `n` cases, with Wilson's interval; undefined without cases."""
    return Estimate(count / n if n else None, *wilson(count, n))


def stratified(strata: Sequence[tuple[int, int]]) -> Estimate:
    """The plain mean of the shares of several strata, however large each is; undefined without strata.

    The interval is that of the mean of independent shares, from Wilson's interval of each (the square-and-add method of Newcombe
    1998):

        mean - √Σ (p_i - l_i)² / k … mean + √Σ (u_i - p_i)² / k

    Args:
        strata: (count, cases) of each; one without cases says nothing and is left out.
    """
    shares = [share(count, n) for count, n in strata if n]
    if not shares:
        return Estimate(None, 0.0, 1.0)
    k = len(shares)
    mean = math.fsum(s.value for s in shares) / k
    below = math.sqrt(math.fsum((s.value - s.low) ** 2 for s in shares)) / k
    above = math.sqrt(math.fsum((s.high - s.value) ** 2 for s in shares)) / k
    return Estimate(mean, max(0.0, mean - below), min(1.0, mean + above))


def average(values: Sequence[float], low: float = 0.0, high: float = 1.0) -> Estimate:
    """The mean of values in [low, high], with the 95 % interval of the normal approximation kept within them.

    Undefined without values. Fewer than two values say nothing of their spread, so the interval is then all of [low, high]; nor do
    values that are all the same, and it is then Wilson's, as if they were low and high ones.

    Raises:
        ValueError: A value outside of them.
    """
    if outside := [v for v in values if not low <= v <= high]:
        raise ValueError(f"{outside[0]} is outside of [{low}, {high}]")
    n = len(values)
    if n < 2:
        return Estimate(values[0] if n else None, low, high)
    mean = math.fsum(values) / n
    if len(set(values)) == 1:
        below, above = wilson(n * (values[0] - low) / (high - low), n)
        return Estimate(values[0], low + below * (high - low), low + above * (high - low))
    half = Z_95 * math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n)
    return Estimate(mean, max(low, mean - half), min(high, mean + half))


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value of McNemar's test (1947): pairs that differ are as likely to differ either way.

    Args:
        only_first: Pairs of which only the first is a yes.
        only_second: Pairs of which only the second is.
    """
    n, least = only_first + only_second, min(only_first, only_second)
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(least + 1)) / 2**n)


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for how many there are (Holm 1979): the k-th smallest times the number of those that are not smaller."""
    order = sorted(range(len(values)), key=values.__getitem__)
    corrected, highest = [0.0] * len(values), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, values[index] * (len(values) - place)))
        corrected[index] = highest
    return corrected


@dataclass(frozen=True)
class Confusion:
    """Cases by verdict and label.

    `unscored` cases have no verdict and are in no other count: folded into either class they would flatter or blame the judge.
    """

    tp: int
    fp: int
    fn: int
    tn: int
    unscored: int = 0


def confusion(verdicts: Sequence[bool | None], labels: Sequence[bool]) -> Confusion:
    """Counts cases.

    Args:
        verdicts: Whether the judge, or the rule, says yes (unsafe, refused, …); None where it has no opinion.
        labels: Whether people say yes.
    """
    counts = Counter(zip(verdicts, labels, strict=True))
    unscored = counts[None, True] + counts[None, False]
    return Confusion(counts[True, True], counts[True, False], counts[False, True], counts[False, False], unscored)


def precision(c: Confusion) -> Estimate:
    """tp / (tp + fp), with Wilson's interval."""
    return share(c.tp, c.tp + c.fp)


def recall(c: Confusion) -> Estimate:
    """tp / (tp + fn), with Wilson's interval."""
    return share(c.tp, c.tp + c.fn)


def f1(c: Confusion) -> Estimate:
    """2 tp / (2 tp + fp + fn) (van Rijsbergen 1979), with an interval through Jaccard's index.

    J = tp / (tp + fp + fn) is a share: of cases that are not true negatives, tp is binomial. Wilson's interval of J passes to F1
    by F = 2 J / (1 + J) (Dice 1945), which rises with J.
    """
    low, high = (2 * j / (1 + j) for j in wilson(c.tp, c.tp + c.fp + c.fn))
    return Estimate(_f1(c.tp, c.fp, c.fn), low, high)


def f1_resampled(c: Confusion, draws: int = 2000, seed: int = 0) -> Estimate:
    """F1 with the percentile interval of a bootstrap over cases (Efron 1979).

    Unlike the interval of `f1` it also lets the number of cases vary that are not true negatives, and it cannot widen where
    nothing was wrong. Resamples of true negatives alone have no F1 and are left out.
    """
    value = _f1(c.tp, c.fp, c.fn)
    if value is None:
        return Estimate(None, 0.0, 1.0)
    rng, counts = random.Random(seed), (c.tp, c.fp, c.fn, c.tn)
    drawn = (rng.choices(range(4), counts, k=sum(counts)) for _ in range(draws))
    values = sorted(v for kinds in drawn if (v := _f1(*(kinds.count(kind) for kind in range(3)))) is not None)
    return Estimate(value, *(values[round(q * (len(values) - 1))] for q in (0.025, 0.975)))


def _f1(tp: int, fp: int, fn: int) -> float | None:
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None


def spearman(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Spearman's ρ: Pearson's correlation of ranks, ties sharing their mean rank (Spearman 1904).

    None where one side is all the same, or empty.
    """
    if not x:
        return None
    a, b = _ranks(x), _ranks(y)
    mean_a, mean_b = fmean(a), fmean(b)
    aa, bb = sum((v - mean_a) ** 2 for v in a), sum((v - mean_b) ** 2 for v in b)
    if not aa or not bb:
        return None
    return sum((v - mean_a) * (w - mean_b) for v, w in zip(a, b, strict=True)) / math.sqrt(aa * bb)


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share their mean rank."""
    counts, rank, below = Counter(values), {}, 0
    for value in sorted(counts):
        rank[value] = below + (counts[value] + 1) / 2
        below += counts[value]
    return [rank[value] for value in values]
