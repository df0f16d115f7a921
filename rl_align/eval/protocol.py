"""What a benchmark measures, apart from any data: its rates and the groups that they are cut by. Importable without Inspect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rl_align.eval.rates import Rate
from rl_align.schema import Item


def by_category(item: Item) -> dict[str, str]:
    """One group: the source's own category."""
    return {"category": item.category} if item.category else {}


def no_judges(item: Item) -> Sequence[str]:
    """Rules alone."""
    return ()


def nothing_read(item: Item) -> tuple[str, Mapping[str, object]] | None:
    """There is no right answer to read."""
    return None


@dataclass(frozen=True)
class Protocol:
    """A benchmark's way to measure.

    Attributes:
        name: `<task>`, or `<task>/<variant>` where a task has several.
        version: Raised whenever the same answers would give other numbers.
        source: Name of the source of its items.
        rates: What is measured.
        known_by: Name of the rate that the benchmark is known by.
        groups: Item → group → value.
        judges: Item → presets that have a question about an answer to it.
        reads: Item → how its answer is read, and what is right; None where nothing is read.
        suffix: Item → what is asked behind its prompt.
        splits: Splits that are asked when none is named; none means all.
    """

    name: str
    version: int
    source: str
    rates: tuple[Rate, ...]
    known_by: str
    groups: Callable[[Item], Mapping[str, str]] = by_category
    judges: Callable[[Item], Sequence[str]] = no_judges
    reads: Callable[[Item], tuple[str, Mapping[str, object]] | None] = nothing_read
    suffix: Callable[[Item], str] = lambda item: ""
    splits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [rate.name for rate in self.rates]
        if len(set(names)) < len(names) or self.known_by not in names:
            raise ValueError(f"{self.name}: rates {', '.join(names)}; known by {self.known_by}")

    @property
    def headline(self) -> Rate:
        """The rate that the benchmark is known by."""
        return next(rate for rate in self.rates if rate.name == self.known_by)
