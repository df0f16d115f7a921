"""What an endpoint did, as numbers: counters, and histograms that quantiles are read from."""

from __future__ import annotations

import math
from collections import Counter

from .types import EndpointError

_FIRST_S = 0.001
_GROWTH = math.log(1.05)
_BUCKETS = 300  # up to 38 minutes


class Histogram:
    """Durations in buckets that grow by 5 %: quantiles to within 5 %, in a few kilobytes however many are added."""

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self._sum = 0.0
        self.count = 0

    def add(self, seconds: float) -> None:
        """Adds a duration."""
        bucket = math.ceil(math.log(seconds / _FIRST_S) / _GROWTH) if seconds > _FIRST_S else 0
        self._counts[min(bucket, _BUCKETS - 1)] += 1
        self._sum += seconds
        self.count += 1

    def mean(self) -> float:
        """Mean in seconds; NaN when empty."""
        return self._sum / self.count if self.count else math.nan

    def quantile(self, share: float) -> float:
        """Seconds that this share of the durations stays within; NaN when empty."""
        below = 0
        for bucket, count in enumerate(self._counts):
            below += count
            if count and below >= share * self.count:
                return _FIRST_S * math.exp(bucket * _GROWTH)
        return math.nan


class Meters:
    """Counts of one endpoint in one process. Every call ends in exactly one of `ENDS`, `failed` or `cancelled`."""

    ENDS = ("memory", "disk", "shared", "answered")

    def __init__(self) -> None:
        self.calls = 0
        self.memory = 0
        self.disk = 0
        self.shared = 0
        self.answered = 0
        self.cancelled = 0
        self.failed: Counter[str] = Counter()
        self.requests = 0
        self.retries: Counter[str] = Counter()
        self.repairs = 0
        self.cache_errors = 0
        self.cache_lost = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cost = 0.0
        self.request_s = Histogram()
        self.call_s = Histogram()

    def fail(self, error: EndpointError) -> None:
        """Counts a failed call."""
        self.failed[str(error.reason)] += 1

    def mapping(self, prefix: str) -> dict[str, float]:
        """Slash path → number. Quantiles are left out as long as there is nothing to take them of."""
        plain = ("calls", *self.ENDS, "cancelled", "requests", "repairs", "cache_errors", "cache_lost")
        plain += ("prompt_tokens", "completion_tokens", "cost")
        values: dict[str, float] = {name: getattr(self, name) for name in plain}
        values |= {"failed": self.failed.total(), "retries": self.retries.total()}
        values |= {f"failed/{reason}": n for reason, n in sorted(self.failed.items())}
        values |= {f"retries/{reason}": n for reason, n in sorted(self.retries.items())}
        for name in ("request_s", "call_s"):
            histogram: Histogram = getattr(self, name)
            if histogram.count:
                values[f"{name}/mean"] = histogram.mean()
                values |= {f"{name}/p{q}": histogram.quantile(q / 100) for q in (50, 95, 99)}
        return {f"{prefix}/{name}": value for name, value in values.items()}
