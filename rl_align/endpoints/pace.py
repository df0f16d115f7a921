"""A rate limit without a queue: every caller is told when its turn is.

The generic cell rate algorithm (ITU-T I.371): one number, the time at which the next turn is free, moved on by whoever takes one.
"""

from __future__ import annotations

#: Seconds' worth of turns that may be taken at once after idling.
BURST_S = 1.0


class Pace:
    """Amounts per minute, of requests or tokens.

    Args:
        per_minute: Amount; 0 for no limit.
    """

    def __init__(self, per_minute: float):
        self._per_s = per_minute / 60
        self._free_at = float("-inf")

    def take(self, amount: float, now: float) -> float:
        """Takes a turn of `amount` and returns the seconds to wait for it.

        An amount beyond a burst still gets its turn; those after it wait the longer.
        """
        if not self._per_s:
            return 0.0
        start = max(self._free_at, now - BURST_S)
        self._free_at = start + amount / self._per_s
        return max(0.0, start - now)

    def correct(self, amount: float) -> None:
        """The turn took `amount` more than was said when it was taken, or less when negative."""
        if self._per_s:
            self._free_at += amount / self._per_s
