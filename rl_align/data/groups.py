"""Rows that belong together: union-find over what they share, with a name for every group that rows added later do not change."""

from __future__ import annotations

from array import array
from collections.abc import Iterable


class Groups:
    """Rows, numbered in the order of `add`; rows that share a key are one group. Some 300 bytes of memory a row.

    A group is named by its first row. Rows added behind the others therefore rename no group, unless they join two groups: then
    the later one takes the name of the earlier.
    """

    def __init__(self) -> None:
        self._above = array("Q")
        self._first: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._above)

    def add(self, keys: Iterable[bytes]) -> int:
        """Adds a row with what it shares and returns its number."""
        row = len(self._above)
        self._above.append(row)
        for key in keys:
            self.join(row, self._first.setdefault(key, row))
        return row

    def join(self, row: int, other: int) -> None:
        """Makes one group of two rows' groups."""
        a, b = self.first(row), self.first(other)
        self._above[max(a, b)] = min(a, b)

    def first(self, row: int) -> int:
        """The first row of a row's group."""
        while (above := self._above[row]) != row:
            self._above[row] = self._above[above]
            row = above
        return row
