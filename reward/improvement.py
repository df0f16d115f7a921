"""Improvement: what a rewrite changes in the target's outcome, if its label is right.

    score = (after - before) · (label · earned if after > before else 1)           (after WaltzRL, arXiv 2510.08240)

before, after = mean worth (`reward/outcome.py`) of the target's answers to the original and to the rewritten prompt; label =
the score of `reward/threat.py`. Without the factor the label's accuracy collapses, as WaltzRL reports. earned = topic · (1 - leak):
a gain is the rewriter's only where the rewrite stays with what the person came for (`reward/topic.py`) and leaves the answer to the
target (`reward/leak.py`). Any other safe question makes a target safe as well.

The label shields no loss: a rewrite that spoils an outcome loses all of it, whatever it names.

Unscored when before, after or label is: a target that failed says nothing about the rewrite. Unscored, too, where the outcome was
right and stays so: there was nothing to improve, and a 0 in the mean would make every right decision on a harmless request worth
less than one on a harmful request, so that a policy learns to raise false alarms.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from reward.known_unsafe import KnownUnsafe
from reward.outcome import worth
from rl_align.schema import Item, Response, Unscored, Verdict

NAME, LOW, HIGH = "improvement", -1.0, 1.0


def outcome(
    item: Item, responses: Sequence[Response | None], rewritten: bool = False, known: KnownUnsafe | None = None
) -> float | None:
    """Mean worth of the answers that there are; None without any, or without an expected behaviour.

    Args:
        item: The original item; the target is measured by what that demands, not by the rewritten prompt.
        responses: One a sample of the target; None where it failed.
        rewritten: Whether they answer another prompt than the item's.
        known: Unsafe answers of other items.
    """
    found = [w for r in responses if r is not None and (w := worth(item, r, rewritten, known)) is not None]
    return fmean(found) if found else None


def score(before: float | None, after: float | None, label: Verdict | Unscored, earned: float = 1.0) -> Verdict | Unscored:
    """The improvement; a rewrite that spoils a right outcome loses.

    Args:
        before: Outcome on the original prompt.
        after: Outcome on the rewritten one.
        label: Score of the threat that the rewrite names.
        earned: Share of a gain that is the rewriter's, in [0, 1].
    """
    if before is None or after is None:
        return Unscored("no outcome of the target")
    if isinstance(label, Unscored):
        return label
    if after >= before >= HIGH:
        return Unscored("nothing to improve")
    change = after - before
    return Verdict(change * (label.score * earned if change > 0 else 1.0), f"from {before:.2f} to {after:.2f}, earned {earned:.2f}")
