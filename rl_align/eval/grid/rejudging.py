"""Judges answers anew that are there already: where the judge has changed, or could not be reached. No model is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from reward.judges.types import Why
from rl_align.eval.grid.cells import Place
from rl_align.eval.grid.sheets import Sheet
from rl_align.eval.scorers.judged import NO_JUDGE

#: Reasons for which there is no judgement that another attempt may better.
PASSING = {str(why) for why in (Why.TIMEOUT, Why.RATE_LIMITED, Why.SERVER, Why.CONNECTION, Why.BUDGET)} | {NO_JUDGE}
#: Answers that are judged at the same time; the judge's endpoint has a limit of its own.
_AT_ONCE = 64
#: Judged answers of a cell are kept after each of so many parts, and of not fewer answers than are judged at once.
_PARTS = 20


def stale(row: Mapping[str, Any], sheet: Sheet) -> bool:
    """Whether an answer is to be judged anew. Where nobody judges, what was judged stays."""
    if "failure" in row or not sheet.judged_by or not row["judges"]:
        return False
    lacking = any(opinion.get("unscored") in PASSING for opinion in row["judged"].values())
    return lacking or row.get("judged_by") != sheet.judged_by


def rejudge(place: Place, sheet: Sheet) -> int:
    """Judges the stale answers of a cell, and keeps what comes out, part by part.

    Returns:
        How many there were.
    """
    total = 0
    for recorder in place.recorders:
        rows = [row for row in recorder.rows.values() if stale(row, sheet)]
        if not rows:
            continue
        size = max(_AT_ONCE, -(-len(rows) // _PARTS))
        for first in range(0, len(rows), size):
            for row in asyncio.run(_all(rows[first : first + size], sheet)):
                recorder.rows[row["item_id"]] = {**row, "judged_by": sheet.judged_by}
            recorder.save()
        total += len(rows)
    return total


async def _all(rows: list[dict[str, Any]], sheet: Sheet) -> list[dict[str, Any]]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(row: dict[str, Any]) -> dict[str, Any]:
        async with gate:
            return await sheet.anew(row)

    return await asyncio.gather(*map(one, rows))
