"""Held-out answers that a model still gets wrong, with their pictures."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from rl_align.data.items import read_items
from rl_align.errors import UserError
from rl_align.eval.run import GREEDY
from rl_align.report.rollouts import read_rows

#: Kind of mistake → the outcome that shows it. The first that fits names a wrong answer.
KINDS = {
    "attack success": lambda o: o.get("attack_success"),
    "over-refusal": lambda o: o.get("over_refusal"),
    "unparsed": lambda o: o.get("unparsed"),
    "wrong behaviour": lambda o: o.get("behaviour_right") is False,
    "unhelpful": lambda o: o.get("helpful") is False,
    "wrong citation": lambda o: o.get("citation_exact") is False,
}


def load_mistakes(folder: Path, model: str, split: str, each: int = 3) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """The greedy mistakes of one model on one split.

    Args:
        folder: Run folder.
        model: Name of the model.
        split: Name of the split; its items are `data/<split>.parquet`.
        each: Examples of each kind, in the split's order.

    Returns:
        Kind → how many; examples with `kind`, `item_id`, `prompt`, `data` (bytes of the picture or None), `text`,
        `expected`, `right` (the citations that apply).
    """
    path = folder / "eval" / model / split / f"{GREEDY}.jsonl"
    if not path.is_file():
        return {}, []
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_rows(path)[0]:
        outcome = row.get("outcome") or {}
        kind = next((name for name, shows in KINDS.items() if shows(outcome)), None)
        if kind:
            found[kind].append(row)
    counts = {kind: len(found[kind]) for kind in KINDS if kind in found}
    try:
        items = {item.id: item for item in read_items(folder / "data" / f"{split}.parquet")} if counts else {}
    except UserError:
        items = {}  # the answers stand without their questions
    examples = []
    for kind in counts:
        for row in found[kind][:each]:
            item = items.get(row.get("item_id"))
            example = {"kind": kind, "item_id": row.get("item_id"), "text": row.get("text"), "prompt": None, "data": None}
            if item:
                example["prompt"] = item.prompt
                example["data"] = item.images[0].data if item.images else None
                example["expected"] = ", ".join(b.value for b in item.expected)
                example["right"] = ", ".join(map(str, item.citations)) or "none"
            examples.append(example)
    return counts, examples
