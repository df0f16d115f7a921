"""From votes to one label (self-consistency, arXiv 2203.11171). The result is always a label that somebody voted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from reward.judges.config import Aggregate, Tie


def decide(votes: Sequence[str], labels: Mapping[str, float], how: Aggregate, tie: Tie, ordinal: bool) -> str | None:
    """The label that the votes decide on; None for a tie that stays one.

    majority: the most frequent label; equally frequent ones tie. median: the middle label by score; of an even number of votes
    the two middle ones tie when they differ. A tie takes the label with the lower score, or stays one. A mean is no option: it
    would leave the closed set, and one wild vote would move it.

    Args:
        votes: Labels, at least one.
        labels: Label → score, the lowest score first.
        how: auto is median where labels are ordinal, else majority.
        tie: What a tie becomes.
        ordinal: Whether the labels are degrees of one thing.
    """
    if len(set(votes)) == 1:
        return votes[0]
    order = list(labels)
    if how is Aggregate.median or (how is Aggregate.auto and ordinal):
        ranked = sorted(votes, key=order.index)
        tied = {ranked[(len(ranked) - 1) // 2], ranked[len(ranked) // 2]}
    else:
        counts = Counter(votes)
        tied = {label for label, n in counts.items() if n == max(counts.values())}
    if len(tied) > 1 and tie is Tie.unscored:
        return None
    return min(tied, key=order.index)
