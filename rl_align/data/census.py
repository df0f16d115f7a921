"""How much of a source a copy holds: records counted by part, beside what a full copy has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rl_align.data.quarantine import Dropped
from rl_align.data.untrusted import shown
from rl_align.schema import Item

#: Where a record belongs to no part whose size is known.
OTHER = "(other)"
#: More parts than these are summed up.
_LINES = 6


@dataclass
class Census:
    """Counts records as they go by; what is dropped later has been counted before.

    Attributes:
        name: The source. Ids of its records begin with it.
        full: Beginning of ids → records of a full copy; "" stands for all.
        counts: Beginning of ids → records that went by.
    """

    name: str
    full: Mapping[str, int]
    counts: Counter[str] = field(default_factory=Counter)

    def watch(self, records: Iterable[Item | Dropped]) -> Iterator[Item | Dropped]:
        """Passes records on."""
        deepest = 1 + max((part.count("/") for part in self.full), default=0)
        for record in records:
            key = record.item if isinstance(record, Dropped) else record.id
            names = key.removeprefix(f"{self.name}/").split("/", deepest)
            ways = ("/".join(names[:depth]) for depth in range(deepest, -1, -1))
            self.counts[next((way for way in ways if way in self.full), OTHER)] += 1
            yield record

    def table(self) -> dict[str, list[int | None]]:
        """Part → [records, records of a full copy or None], for the manifest."""
        return {part: [count, self.full.get(part)] for part, count in sorted(self.counts.items())}


def told(name: str, table: Mapping[str, Iterable[int | None]]) -> list[str]:
    """What a census says, as lines for the console: the parts, or their sum and the first of those that differ."""
    parts = {part: (count, full) for part, (count, full) in table.items()}
    if len(parts) <= _LINES:
        alone = len(parts) == 1
        return [_line(name, "" if alone and part == OTHER else part, count, full) for part, (count, full) in parts.items()]
    known = {part: (count, full) for part, (count, full) in parts.items() if full is not None}
    rest = [part for part, (count, full) in parts.items() if count != full]
    counted, expected = sum(count for count, _ in known.values()), sum(full for _, full in known.values())
    lines = [f"{name}: {counted} of {expected} records in {len(known)} parts: {_said(counted, expected)}"]
    lines += [_line(name, part, *parts[part]) for part in rest[:_LINES]]
    return lines + ([f"… and {len(rest) - _LINES} more parts"] if len(rest) > _LINES else [])


def differing(table: Mapping[str, Iterable[int | None]], full: Mapping[str, int], either: bool = False) -> list[str]:
    """The parts of a full copy that are not there as they should be.

    Args:
        table: What is there, as of `Census.table`.
        full: What a full copy has.
        either: Whether a copy is read for one of the parts alone.
    """
    counts = {part: count for part, (count, _) in table.items()}
    expected = {part: number for part, number in full.items() if part in counts} if either and counts else full
    there = {part: (counts.get(part, 0), number) for part, number in expected.items()}
    return [f"{part or 'records'}: {count} of {number}" for part, (count, number) in there.items() if count != number]


def _line(name: str, part: str, count: int, full: int | None) -> str:
    place = shown(f"{name} {part}".strip(), 120)
    if full is None:
        return f"{place}: {count} records; how many the full set has is not known"
    return f"{place}: {count} of {full} records: {_said(count, full)}"


def _said(count: int, full: int) -> str:
    return "the full set" if count == full else "a part of it" if count < full else "more than the full set has"
