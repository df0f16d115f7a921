"""VLMEvalKit's numbers beside ours, and every item that the two count differently, with the reason. Pure.

An item counts 1 or 0 in the kit; with us it counts 1 or 0, or is left out and counted apart (no answer, no verdict). So over the
items that both count, the two numbers are the same unless a judge or a reader said otherwise, and every such item is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rl_align.eval.benchmarks import protocol
from rl_align.eval.rates import Rate, Record
from rl_align.eval.vlmevalkit.pairs import BLANK, MEANS, Item, Pair, Part, pairs_of, said
from rl_align.eval.vlmevalkit.tables import Table

#: The kit rounds percentages to two decimals.
ROUNDING = 0.00005 + 1e-9
_QUOTED = 60
#: Items that a line names.
_NAMED = 8


@dataclass(frozen=True)
class Difference:
    """An item that counts differently. `ours` is None where it is left out; `reason` is empty where none was found."""

    item_id: str
    kit: float
    ours: float | None
    reason: str


@dataclass(frozen=True)
class Compared:
    """A number of the kit's and ours.

    Attributes:
        name: The kit's name.
        rate: Ours.
        kit: The kit's number.
        ours: Our number; None without a scored case.
        n: Items that the kit counts.
        scored: Items that we count.
        both: The kit's number and ours over the items that both count.
        sound: Whether the kit's number follows from its own items.
        differences: The items that count differently.
    """

    name: str
    rate: str
    kit: float
    ours: float | None
    n: int
    scored: int
    both: tuple[float | None, float | None]
    sound: bool
    differences: list[Difference] = field(default_factory=list)

    @property
    def explained(self) -> bool:
        """Whether every difference has a reason."""
        return self.sound and all(difference.reason for difference in self.differences)


def compare(table: Table, found: Mapping[str, Sequence[Item]]) -> list[Compared]:
    """The numbers of one dataset.

    Args:
        table: What the kit was given.
        found: Its `scores` (rows of its table of results) and `items` (its detailed table).

    Raises:
        ValueError: The kit's items are not those of the table.
    """
    items, scores = found["items"], found["scores"]
    if [item["id"] for item in items] != [row["id"] for row in table.rows]:
        raise ValueError(f"VLMEvalKit's detailed table of {table.dataset} does not have the rows that it was given")
    rates = {rate.name: rate for rate in protocol(table.records[0]["benchmark"]).rates}
    rows = list(zip(table.records, items, strict=True))
    made = [_compared(table.dataset, pair, rates[pair.rate], rows, scores) for pair in pairs_of(table)]
    return made + [_mean_of(name, value(scores), made) for name, value in MEANS.get(table.dataset, {}).items() if len(made) > 1]


def _compared(dataset: str, pair: Pair, rate: Rate, rows: list[tuple[Record, Item]], scores: Sequence[Item]) -> Compared:
    cases = [(record, item, float(pair.counts(item)), _counted(pair, rate, record)) for record, item in rows if pair.case(record)]
    scored = [(kit, own) for _, _, kit, own in cases if own is not None]
    value, own = pair.value(scores), _mean([own for _, own in scored])
    return Compared(
        pair.kit,
        f"1 - {pair.rate}" if pair.complement else pair.rate,
        value,
        own,
        len(cases),
        len(scored),
        (_mean([kit for kit, _ in scored]), own),
        abs(value - (_mean([kit for _, _, kit, _ in cases]) or 0.0)) <= ROUNDING,
        [
            Difference(record["item_id"], kit, own, _reason(dataset, pair, record, item))
            for record, item, kit, own in cases
            if kit != own
        ],
    )


def _mean_of(name: str, value: float, made: Sequence[Compared]) -> Compared:
    """The plain mean of the other numbers; its items are theirs."""
    ours = [one.ours for one in made if one.ours is not None]
    own = _mean(ours) if len(ours) == len(made) else None
    kit = _mean([one.kit for one in made]) or 0.0
    both = [[one.both[side] for one in made] for side in (0, 1)]
    common = [None if None in side else _mean([share for share in side if share is not None]) for side in both]
    n, scored = sum(one.n for one in made), sum(one.scored for one in made)
    return Compared(name, "their mean", value, own, n, scored, (common[0], common[1]), abs(value - kit) <= 2 * ROUNDING)


def _counted(pair: Pair, rate: Rate, record: Record) -> float | None:
    value = rate.counts(record) if rate.case(record) else None
    return None if value is None else 1.0 - float(value) if pair.complement else float(value)


def _reason(dataset: str, pair: Pair, record: Record, item: Item) -> str:
    if not pair.parts:
        if record["read"] == item["pred_option"]:
            return ""
        return f"another letter: we read {_quoted(record['read'])}, the kit {_quoted(item['pred_option'])}"
    has = ", ".join(f"{item[part.column]!r}" for part in pair.parts)
    if record["empty"]:
        judged = f"the text {BLANK[dataset]!r}" if item["prediction"] is None else "all that was generated"
        return f"no answer; the kit judged {judged} and has {has}"
    return "; ".join(dict.fromkeys(filter(None, (_of_part(part, record, item) for part in pair.parts))))


def _of_part(part: Part, record: Record, item: Item) -> str:
    """Why one judgement is another one; empty where it is the same."""
    own, has = said(record, part.preset), item[part.column]
    if own is not None and part.means[own] == has:
        return ""
    lost = "" if item["prediction"] is not None else ", which found an empty cell where the answer is"
    kits = f"the kit has {has!r}{lost}; its judge said {_quoted(item[part.log])}"
    return f"no verdict of our judge; {kits}" if own is None else f"another verdict: our judge said {own}; {kits}"


def _quoted(text: Any) -> str:
    if text is None:
        return "nothing"
    return repr(text if len(str(text)) <= _QUOTED else str(text)[:_QUOTED] + "…")


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def lines(table: Table, made: Sequence[Compared]) -> list[str]:
    """For whoever reads them: a line a number, then one for all items that count differently for the same reason."""
    out = [f"{table.dataset}, {table.model}: {len(table.rows)} answers"]
    numbers: dict[Difference, list[str]] = {}
    for one in made:
        both = " and ".join(map(_share, dict.fromkeys(one.both)))
        ours = f"{one.rate} {_share(one.ours)} of {one.scored}"
        out.append(f"  {one.name}: the kit {_share(one.kit)} of {one.n}, {ours}; over those {one.scored} {both}")
        if not one.sound:
            out.append("  UNEXPLAINED: that number of the kit's does not follow from its items")
        for difference in one.differences:
            numbers.setdefault(difference, []).append(one.name)
    alike: dict[str, list[str]] = {}
    for item, names in numbers.items():
        own = "left out" if item.ours is None else f"{item.ours:g}"
        why = f"the kit {item.kit:g}, ours {own}, in {', '.join(names)}: {item.reason or 'UNEXPLAINED'}"
        alike.setdefault(why, []).append(item.item_id)
    for why, ids in alike.items():
        more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
        out.append(f"    {len(ids)} × {why} ({', '.join(ids[:_NAMED])}{more})")
    return out


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
