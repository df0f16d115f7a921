"""Resampled intervals of rates and of their differences: items are drawn with replacement, and seeds are, too.

With several seeds both are crossed, so both are drawn (the pigeonhole bootstrap, Owen 2007): all answers to an item go together,
and so do all answers of a seed. Everything that is compared is drawn with the same items, which pairs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rl_align.eval.rates import Rate, Record, fold

#: Two-sided 95 %.
_LOW, _HIGH = 2.5, 97.5
#: Resamples that are drawn at once.
_BLOCK = 100


@dataclass(frozen=True)
class Drawn:
    """Value of a rate, and of its resamples (NaN where one has no case)."""

    value: float
    draws: np.ndarray

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, by percentiles; (nan, nan) where no resample has a case."""
        kept = self.draws[np.isfinite(self.draws)]
        return (float("nan"),) * 2 if not len(kept) else tuple(float(x) for x in np.percentile(kept, (_LOW, _HIGH)))


class Resamples:
    """Weights of items and seeds, the same ones for all that is compared.

    Args:
        items: Ids.
        seeds: Seeds; one is not drawn.
        draws: How often.
        seed: Of the drawing.
    """

    def __init__(self, items: Sequence[str], seeds: Sequence[int], draws: int, seed: int = 0):
        rng, n, s = np.random.default_rng(seed), len(items), len(seeds)
        self._row = {id: k for k, id in enumerate(items)}
        self._seed = {one: k for k, one in enumerate(seeds)}
        # Counts are whole numbers, which this format holds exactly; a benchmark of 28,000 items takes 224 MB.
        self._items = np.empty((draws, n), np.float32)
        for first in range(0, draws, _BLOCK):
            block = self._items[first : first + _BLOCK]
            block[:] = rng.multinomial(n, np.full(n, 1 / n), size=len(block))
        self._seeds = rng.multinomial(s, np.full(s, 1 / s), size=draws).astype(np.float64) if s > 1 else np.ones((draws, 1))

    def rate(self, rate: Rate, records: Mapping[int, Sequence[Record]]) -> Drawn:
        """A rate over the records of every seed."""
        strata: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for seed, rows in records.items():
            for record in fold(rows) if rate.folded else rows:
                if not rate.case(record) or (value := rate.counts(record)) is None:
                    continue
                name = record["groups"][rate.over] if rate.over is not None else ""
                shape = (len(self._seed), len(self._row))
                sums, cases = strata.setdefault(name, (np.zeros(shape, np.float32), np.zeros(shape, np.float32)))
                at = self._seed[seed], self._row[record["item_id"]]
                sums[at] += float(value)
                cases[at] += 1
        if not strata:
            return Drawn(float("nan"), np.full(len(self._items), np.nan))
        parts = list(strata.values())
        value = float(np.mean([float(sums.sum()) / float(cases.sum()) for sums, cases in parts]))
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = np.stack([self._total(sums) / self._total(cases) for sums, cases in parts])
        # A stratum that a resample has no case of says nothing in it, as in `rl_align.statistics.stratified`.
        known = np.isfinite(shares)
        with np.errstate(invalid="ignore"):
            draws = np.where(known, shares, 0).sum(0) / known.sum(0)
        return Drawn(value, draws)

    def _total(self, table: np.ndarray) -> np.ndarray:
        """Sum of a seeds × items table in every resample."""
        return ((self._items @ table.T) * self._seeds).sum(1)


def p_value(difference: Drawn) -> float | None:
    """Two-sided, from the resamples of a difference: twice the smaller share on either side of 0, itself included (Efron and
    Tibshirani 1993); at least 2 in the number of resamples. None without resamples.
    """
    kept = difference.draws[np.isfinite(difference.draws)]
    if not len(kept):
        return None
    side = min(int((kept <= 0).sum()), int((kept >= 0).sum()))
    return min(1.0, 2 * (side + 1) / (len(kept) + 1))
