"""How well labels agree with those of people: precision, recall and F1 with intervals.

Precision and recall carry the score interval of a proportion (Wilson 1927, z = 1.96); F1, which is no proportion, the
percentile interval of a bootstrap over rows (Efron 1979).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass

Z = 1.96
DRAWS, SEED = 2000, 0

Interval = tuple[float, float]


@dataclass(frozen=True)
class Agreement:
    """Counts of rows by what people say and what the rules say."""

    hits: int = 0
    false_alarms: int = 0
    misses: int = 0
    others: int = 0

    @classmethod
    def of(cls, pairs: Iterable[tuple[bool, bool]]) -> Agreement:
        """Of (people say so, the rules say so), one pair a row."""
        table = [0, 0, 0, 0]
        for said, shown in pairs:
            table[(not said) + 2 * (not shown)] += 1
        return cls(table[0], table[1], table[2], table[3])

    @property
    def rows(self) -> int:
        return self.hits + self.false_alarms + self.misses + self.others

    @property
    def precision(self) -> float:
        return _share(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> float:
        return _share(self.hits, self.hits + self.misses)

    @property
    def f1(self) -> float:
        return _share(2 * self.hits, 2 * self.hits + self.false_alarms + self.misses)

    @property
    def precision_interval(self) -> Interval:
        return wilson(self.hits, self.hits + self.false_alarms)

    @property
    def recall_interval(self) -> Interval:
        return wilson(self.hits, self.hits + self.misses)

    def f1_interval(self, draws: int = DRAWS, seed: int = SEED) -> Interval:
        """95 % of bootstrap resamples of the rows; only their four counts matter."""
        if not self.rows:
            return (math.nan, math.nan)
        rng = random.Random(seed)
        weights = (self.hits, self.false_alarms, self.misses, self.others)
        values = []
        for _ in range(draws):
            drawn = rng.choices(range(4), weights, k=self.rows)
            values.append(Agreement(*(drawn.count(kind) for kind in range(4))).f1)
        values = sorted(value for value in values if not math.isnan(value))
        return (_quantile(values, 0.025), _quantile(values, 0.975))


def wilson(hits: int, n: int, z: float = Z) -> Interval:
    """The score interval of the share `hits / n`; NaN without rows."""
    if not n:
        return (math.nan, math.nan)
    share, square = hits / n, z * z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return (max(0.0, middle - half), min(1.0, middle + half))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _quantile(values: list[float], q: float) -> float:
    return values[round(q * (len(values) - 1))] if values else math.nan
