"""What one list of the page shows: rows, and in every row the texts that are compared; as compact columns for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from rl_align.data.untrusted import shown
from rl_align.report.view.facets import Facet
from rl_align.report.view.lines import Place, number
from rl_align.report.view.outcomes import NAMES
from rl_align.schema import Behaviour, RiskModality

#: Characters of a prompt that a list shows.
_PROMPT = 140
#: Columns that are shown before anybody has chosen.
_SHOWN = 4

HARM = ("harmful", "benign", "unknown")


class Section:
    """A list under construction, and then what is known of it.

    Args:
        id: Names it in addresses.
        title: Shown to people.
        kind: "answers" (a row is an item, a record a model's answer) or "rollouts" (a row is a group of siblings).
        columns: Names of what is compared.
        facets: Id → filter; those per "unit" get a value with every row, the others with every record.

    Attributes:
        units: Row's key → its number.
        places: Record → where its line stands.
    """

    def __init__(self, id: str, title: str, kind: str, columns: Sequence[str], facets: Mapping[str, Facet]):
        self.id, self.title, self.kind, self.columns, self.facets = id, title, kind, list(columns), dict(facets)
        self.units: dict[str, int] = {}
        self.places: list[Place] = []
        self.items: list[str] = []
        self._prompts: list[str] = []
        self._steps: list[int] = []
        self._starts: list[int] = []
        self._columns: list[int] = []
        self._outcomes: list[int] = []
        self._rewards: list[float | None] = []
        self._tokens: list[float | None] = []

    def add_unit(self, key: str, item_id: str, prompt: object, step: int, values: Mapping[str, str | None | Sequence[str]]) -> None:
        """Begins a row; the records that follow are its."""
        self.units[key] = len(self.items)
        self.items.append(item_id)
        self._prompts.append(shown(prompt, _PROMPT))
        self._steps.append(step)
        self._starts.append(len(self.places))
        self._add("unit", values)

    def add_record(
        self, column: int, row: Mapping[str, Any], place: Place, outcomes: Sequence[str], values: Mapping[str, Any]
    ) -> None:
        """Adds a text to the last row."""
        self._columns.append(column)
        self._outcomes.append(NAMES.index(outcomes[0]))
        reward = number(row.get("reward"))
        self._rewards.append(None if reward is None else round(reward, 4))
        self._tokens.append(number(row.get("tokens")))
        self.places.append(place)
        self._add("record", {"outcome": outcomes, **values})

    def records(self, unit: int) -> list[tuple[int, Place]]:
        """The columns and places of a row's records."""
        end = self._starts[unit + 1] if unit + 1 < len(self._starts) else len(self.places)
        return [(self._columns[k], self.places[k]) for k in range(self._starts[unit], end)]

    def record_rows(self) -> list[int]:
        """Record → its row."""
        ends = [*self._starts[1:], len(self.places)]
        return [unit for unit, (start, end) in enumerate(zip(self._starts, ends, strict=True)) for _ in range(start, end)]

    def outcomes(self, unit: int) -> list[str]:
        """What a row's records are called."""
        start = self._starts[unit]
        return [NAMES[k] for k in self._outcomes[start : start + len(self.records(unit))]]

    def rewards(self, unit: int) -> list[float]:
        """The rewards of a row's records, where there are some."""
        start = self._starts[unit]
        return [r for r in self._rewards[start : start + len(self.records(unit))] if r is not None]

    def step(self, unit: int) -> int:
        """The training step of a row; 0 where there is none."""
        return self._steps[unit]

    @cached_property
    def index(self) -> dict[str, Any]:
        """Everything that the page's list, filters and order need; nothing can be added afterwards."""
        return {
            "id": self.id,
            "title": self.title,
            "kind": self.kind,
            "columns": self.columns,
            "shown": min(_SHOWN, len(self.columns)) if self.kind == "answers" else len(self.columns),
            "units": {
                "key": list(self.units),
                "item": [shown(item_id, 80) for item_id in self.items],
                "prompt": self._prompts,
                "step": self._steps,
                "start": [*self._starts, len(self.places)],
            },
            "records": {
                "column": self._columns,
                "outcome": self._outcomes,
                "reward": self._rewards,
                "tokens": self._tokens,
            },
            "facets": [facet.index(id) for id, facet in self.facets.items()],
        }

    def _add(self, per: str, values: Mapping[str, Any]) -> None:
        for id, facet in self.facets.items():
            if facet.per == per:
                facet.add(values.get(id))


def item_facets() -> dict[str, Facet]:
    """Filters by what was asked."""
    return {
        "harm": Facet("Request", "unit", HARM),
        "category": Facet("Cell or category", "unit"),
        "policy": Facet("Policy that applies", "unit"),
        "expected": Facet("Expected", "unit", [b.value for b in Behaviour]),
        "modality": Facet("Risk lies in", "unit", [m.value for m in RiskModality]),
        "dataset": Facet("Dataset", "unit"),
    }


def item_values(item: Mapping[str, Any] | None) -> dict[str, str | None | list[str]]:
    """Their values for an item's `LIGHT` columns; unknown without an item."""
    if item is None:
        return {}
    return {
        "harm": {True: "harmful", False: "benign"}.get(item["harmful"]),
        "category": item["category"],
        "policy": [c["policy"] for c in item["citations"] or () if c and c["policy"]] or "none",
        "expected": item["expected"] or None,
        "modality": item["modality"],
        "dataset": item["dataset"],
    }
