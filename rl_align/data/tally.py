"""What is in a dataset, counted as its rows go by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rl_align.schema import Item

#: Values are named by the data; after this many different ones of a kind, new ones are counted together.
_MAX_NAMES = 1000
OTHER, UNKNOWN = "(other)", "unknown"
_HARM = {True: "harmful", False: "benign", None: UNKNOWN}


def kinds(item: Item) -> dict[str, tuple[str, ...]]:
    """What an item is counted under: dimension → values."""
    return {
        "harmful": (_HARM[item.harmful],),
        "expected": (" or ".join(item.expected) or UNKNOWN,),
        "category": (item.category or UNKNOWN,),
        "policy": item.policies or ("none",),
        "modality": (item.modality.value,),
        "pictures": (str(len(item.images)),),
        "dataset": (item.dataset,),
        "licence": (item.licence,),
    }


class Tally:
    """Split → dimension → value → number of items, in bounded memory."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self._counts: dict[str, dict[str, Counter[str]]] = {}

    def add(self, item: Item) -> None:
        """Counts one item."""
        split = _known(self.rows, item.split)
        self.rows[split] += 1
        dimensions = self._counts.setdefault(split, {})
        for dimension, values in kinds(item).items():
            counter = dimensions.setdefault(dimension, Counter())
            for value in values:
                counter[_known(counter, value)] += 1

    def total(self, dimension: str) -> dict[str, int]:
        """Value → number of items of all splits, most frequent first."""
        found: Counter[str] = Counter()
        for dimensions in self._counts.values():
            found.update(dimensions[dimension])
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))

    def table(self) -> dict[str, dict[str, Any]]:
        """Split → {"rows": number, dimension: {value: number}}, sorted by name: the same rows give the same table in any order."""
        return {
            split: {"rows": self.rows[split], **{name: _sorted(counts) for name, counts in dimensions.items()}}
            for split, dimensions in sorted(self._counts.items())
        }


def _known(counter: Mapping[str, int], value: str) -> str:
    return value if value in counter or len(counter) < _MAX_NAMES else OTHER


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))
