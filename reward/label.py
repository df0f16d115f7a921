"""What rewards may know of an item, as the text that a data row carries. Its truth is left out on purpose."""

from __future__ import annotations

import json

from rl_align.schema import Behaviour, Citation, Item


def write_label(item: Item) -> str:
    """JSON with the expected behaviours, the policy rules, whether it is harmful, the reference and the rejected answer."""
    return json.dumps(
        {
            "expected": [b.value for b in item.expected],
            "citations": [[c.policy, c.rule] for c in item.citations],
            "harmful": item.harmful,
            "reference": item.reference,
            "rejected": item.rejected,
        },
        ensure_ascii=False,
    )


def read_label(text: str, item_id: str = "", dataset: str = "", split: str = "", prompt: str = "") -> Item:
    """The item, as far as its label says. Raises KeyError or ValueError for a text that `write_label` did not write."""
    known = json.loads(text)
    return Item(
        id=item_id,
        images=(),
        prompt=prompt,
        dataset=dataset,
        split=split,
        expected=tuple(Behaviour(b) for b in known["expected"]),
        citations=tuple(Citation(policy, rule) for policy, rule in known["citations"]),
        harmful=known["harmful"],
        reference=known["reference"],
        rejected=known["rejected"],
    )
