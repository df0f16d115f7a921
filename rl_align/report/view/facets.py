"""What a list can be filtered by: for every row or record small numbers, and what the numbers stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rl_align.data.untrusted import shown

#: Values that a facet tells apart; names come from data sets and models, and may be as many as they like.
MAX_VALUES = 60
OTHER = "other"
UNKNOWN = "unknown"


class Facet:
    """One filter.

    Args:
        title: Shown above its values.
        per: "unit" for a property of what was asked, "record" for one of a single text.
        order: Values that stand first, in this order, where they occur.
    """

    def __init__(self, title: str, per: str, order: Sequence[str] = ()):
        self.title, self.per = title, per
        self._order = list(order)
        self._numbers: dict[str, int] = {}
        self._data: list[int | list[int]] = []

    def add(self, value: str | None | Sequence[str]) -> None:
        """Adds the value, or the values, of the next row or record."""
        if value is None or isinstance(value, str):
            self._data.append(self._number(value))
        elif len(value) == 1:
            self._data.append(self._number(value[0]))
        else:
            self._data.append(sorted({self._number(one) for one in value}))

    def index(self, id: str) -> dict[str, Any]:
        """The facet as the page reads it, its values in order."""
        place = {name: k for k, name in enumerate(self._order)}
        names = sorted(self._numbers, key=lambda name: (place.get(name, len(place)), name in (OTHER, UNKNOWN), name))
        new = [0] * len(names)
        for k, name in enumerate(names):
            new[self._numbers[name]] = k
        data = [[new[v] for v in value] if isinstance(value, list) else new[value] for value in self._data]
        return {"id": id, "title": self.title, "per": self.per, "values": names, "data": data}

    def _number(self, value: str | None) -> int:
        name = UNKNOWN if value is None else value
        known = self._numbers.get(name)
        if known is None:
            name = shown(name, 60) if len(self._numbers) < MAX_VALUES or name in self._order else OTHER
            known = self._numbers.setdefault(name, len(self._numbers))
        return known
