"""A mapping of bounded weight that forgets what was not used for longest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lru(Generic[K, V]):
    """Least recently used goes first.

    Args:
        limit: Sum of weights that is kept; what weighs more by itself is not kept at all.
    """

    def __init__(self, limit: int):
        self._limit = limit
        self._weight = 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, which counts as used now; None when there is none."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Keep `value`, at the cost of others."""
        old = self._kept.pop(key, None)
        if old is not None:
            self._weight -= old[1]
        if weight > self._limit:
            return
        self._kept[key] = value, weight
        self._weight += weight
        while self._weight > self._limit:
            self._weight -= self._kept.popitem(last=False)[1][1]

    def __len__(self) -> int:
        return len(self._kept)
