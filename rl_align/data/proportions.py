"""How many rows of each part a mix takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from rl_align.errors import UserError


@dataclass(frozen=True)
class Share:
    """A part: its name, the rows that it has (those over its cap left out), and its weight."""

    name: str
    rows: int
    weight: float


def allot(shares: Sequence[Share], epochs: float, rows: int | None) -> list[int]:
    """Rows that a mix takes of each part: proportional to the weights, and nothing of a part more often than `epochs` times.

    With weights w and N rows, part i gives w_i / Σw · N of them, rounded so that the sum is N (largest remainders first).

    Args:
        shares: The parts.
        epochs: How often a row may occur at most; between whole numbers, a part of the rows occurs once more than the others.
        rows: N; None for the most that `epochs` allows.

    Returns:
        Rows of each part.

    Raises:
        UserError: A part has too few rows for its weight.
    """
    total = sum(Fraction(share.weight) for share in shares)
    portions = [Fraction(share.weight) / total for share in shares]
    limits = [int(share.rows * Fraction(epochs)) for share in shares]
    if rows is None:
        rows = int(min(limit / portion for limit, portion in zip(limits, portions, strict=True)))
    exact = [portion * rows for portion in portions]
    taken = [int(x) for x in exact]
    for i in sorted(range(len(shares)), key=lambda i: (taken[i] - exact[i], i))[: rows - sum(taken)]:
        taken[i] += 1
    for share, count, limit in zip(shares, taken, limits, strict=True):
        if count > limit:
            what = f"{count} rows are asked for, {share.rows} are there and may occur {epochs:g} times"
            raise UserError(what, where=share.name, fix="ask for fewer rows, lower its weight, or raise epochs")
    if not rows:
        raise UserError("the weights leave no rows", where="parts", expected="parts with rows enough for their weights")
    return taken
