"""Leak: how much of the answer a rewrite already gives away, in [0, 1].

    leak = share of the reference's content words, beyond the prompt's own, that the rewrite holds

A rewriter that answers in the target's place ("…? Say: …") makes every target look good and helps nobody who asks another one.
Gains of the target are paid less by this share (`reward/improvement.py`).
"""

from __future__ import annotations

from reward.words import content
from rl_align.schema import Item, Rewrite


def leak(item: Item, rewrite: Rewrite) -> float:
    """The share; 0 without a reference, on items not known to be harmless, and where the prompt holds all of the reference."""
    if item.harmful is not False or not item.reference or not rewrite.rewrite:
        return 0.0
    answer = content(item.reference) - content(item.prompt)
    given = content(rewrite.rewrite) - content(item.prompt)
    return (answer & given).total() / answer.total() if answer else 0.0
