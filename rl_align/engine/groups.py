"""Which finished groups teach nothing, for dynamic sampling; and what the watch learns of them, since nobody else will see them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from reward.credit import Row, has_signal

from .rows import make_rows
from .watch import Watch


@dataclass(frozen=True)
class Rule:
    """By what a group is told to teach something: the trainer's settings."""

    estimator: str = "grpo"
    weights: Mapping[str, float] | None = None
    mask_truncated: bool = False


def classify(
    uids: Collection[str], keys: Sequence[str], extra_fields: Sequence[Any], rule: Rule, watch: Watch
) -> dict[str, float | None]:
    """Group → None where it teaches, else the mean reward that it collapsed to (-1 without any), which is only shown.

    Args:
        uids: The groups; one without texts teaches nothing.
        keys: verl's keys of their texts.
        extra_fields: What the agent loop said of each text.
        rule: What teaching is.
        watch: Counts every text. With a judge that is down every group goes, and would go uncounted.

    Raises:
        EngineFailed: Judges or the target are down.
    """
    groups: dict[str, list[Row]] = defaultdict(list)
    told = {}
    for key, extra, row in zip(keys, extra_fields, make_rows(keys, extra_fields), strict=True):
        if row:
            groups[row.uid].append(row)
            told[key] = extra["rl"]
    watch.add(told)
    found: dict[str, float | None] = {}
    for uid in uids:
        rewards = [row.reward for row in groups[uid] if row.scored]
        taught = has_signal(groups[uid], rule.estimator, rule.weights, rule.mask_truncated)
        found[uid] = None if taught else round(fmean(rewards), 3) if rewards else -1.0
    return found
