"""From what stands in the transfer queue to rows of credit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reward.credit import Row
from rl_align.schema import Seat, Status


def make_rows(keys: Sequence[str], extra_fields: Sequence[Any]) -> list[Row | None]:
    """Rows of credit, None for verl's padding.

    Args:
        keys: verl's `{uid}_{session}_{output}`.
        extra_fields: What the agent loop said of each output; its part is under "rl".
    """
    rows: list[Row | None] = []
    for key, extra in zip(keys, extra_fields, strict=True):
        uid, session, _ = key.rsplit("_", 2)
        told = extra.get("rl") if isinstance(extra, dict) else None
        # Padding rows copy the fields of row 0 under a uid "pad…"; believing them would put them into a real group.
        if told is None or uid.startswith("pad"):
            rows.append(None)
        else:
            seat, status = Seat(told["seat"]), Status(told["status"])
            rows.append(Row(uid, session, seat, status, told["reward"], told["components"], told.get("gate")))
    return rows


def plain(column: Any) -> list[Any]:
    """A tensordict's column of Python objects as a list."""
    return column.tolist() if hasattr(column, "tolist") else [getattr(value, "data", value) for value in column]
