"""Records of a row in full: a model's answer with the rewrite it stands behind, or the siblings of a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rl_align.data.untrusted import shown
from rl_align.policy.catalogue import Catalogue
from rl_align.report.view.detail import facts, judges_detail, response_hop, reward_detail, rewrite_hop
from rl_align.report.view.outcomes import of_answer, of_rollout
from rl_align.report.view.texts import Run, runs
from rl_align.schema import Item, Seat

Row = Mapping[str, Any]


def answer_record(
    title: str, column: int, row: Row, item: Item | None, catalogue: Catalogue, *, rewrites: bool, behind: Row | None
) -> dict[str, Any]:
    """A recorded answer.

    Args:
        title: Who answered.
        column: Its column.
        row: The record.
        item: What was asked, where it is known.
        catalogue: Policies.
        rewrites: Whether the text is a rewriter's.
        behind: The record of the rewriter that the answer stands behind.
    """
    text, asked = row.get("text"), (behind or row).get("rewrite")
    hops = [rewrite_hop(text, item, catalogue) if rewrites else response_hop(text, item, catalogue, asked)]
    if behind:
        hops.insert(0, rewrite_hop(behind.get("text"), item, catalogue))
    return {
        "title": title,
        "same": None,
        "column": column,
        "outcomes": of_answer(row),
        "asked": None if rewrites or behind else _asked(row.get("rewrite"), item),
        "hops": hops,
        "reward": None,
        "judges": judges_detail(row),
        "facts": facts(row, {"stop": "ended by", "tokens": "tokens"}),
    }


def rollout_records(
    rows: Sequence[tuple[int, Row]], light: Mapping[str, Any] | None, item: Item | None, catalogue: Catalogue
) -> list[dict[str, Any]]:
    """The siblings of a group. Where both seats were trained, a text is named by its seat and episode.

    Args:
        rows: Column and record of each.
        light: The `LIGHT` columns of their item, where it is known.
        item: The item.
        catalogue: Policies.
    """
    both = len({str(row.get("seat")) for _, row in rows}) > 1
    first: dict[str, int] = {}
    records = []
    for column, row in rows:
        same = first.setdefault(str(row.get("text")), column)
        text, asked, rewrites = row.get("text"), row.get("prompt"), row.get("seat") == Seat.REWRITER.value
        hop = rewrite_hop(text, item, catalogue) if rewrites else response_hop(text, item, catalogue, asked)
        records.append(
            {
                "title": shown(f"{row.get('seat')} in episode {row.get('session')}" if both else f"sibling {column + 1}", 80),
                "same": same + 1 if same != column else None,
                "column": column,
                "outcomes": of_rollout(row, light),
                "asked": _asked(asked, item),
                "hops": [hop],
                "reward": reward_detail(row),
                "judges": judges_detail(row),
                "facts": facts(row, {"status": "status", "tokens": "tokens"}),
            }
        )
    return records


def _asked(prompt: object, item: Item | None) -> list[Run] | None:
    """A prompt that is not the item's own."""
    if not isinstance(prompt, str) or item is None or prompt.strip() == item.prompt.strip():
        return None
    return runs(prompt)
