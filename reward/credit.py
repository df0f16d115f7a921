"""Credit assignment: from the rewards of a batch to one advantage per text. Pure, no torch, no engine.

Who competes with whom (peers):
    * rewrites of one prompt compete with each other; a rewrite without a reward of its own is worth the mean over its scored
      responses;
    * responses to one prompt, or to one rewrite of it, compete with each other.

Estimators, over the scored rewards r of one group of peers:
    * `grpo`: (r - mean) / (std + 1e-6), unbiased std (DeepSeekMath, arXiv 2402.03300);
    * `dr_grpo`: r - mean (Dr.GRPO, arXiv 2503.20783);
    * `gdpo`: every component normalised within its group, weighted sum, then normalised over the batch
      (GDPO: plain GRPO collapses distinct reward vectors into one number).

A row without a reward (unscored, a partner's failure, a time-out) joins neither baseline nor loss, and a group left with
fewer than two scored rows teaches nothing and is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev

from rl_align.schema import STATUS_RULES, Seat, Status

#: Added to the standard deviation, as verl's GRPO does.
EPSILON = 1e-6
ESTIMATORS = ("grpo", "dr_grpo", "gdpo")


@dataclass(frozen=True)
class Row:
    """One trained text.

    Attributes:
        uid: The prompt's group.
        session: The episode within the group.
        seat: Which policy wrote it.
        status: How it ended.
        reward: Composed reward; None when there is none.
        components: Component name → score, None where unscored.
    """

    uid: str
    session: str
    seat: Seat = Seat.RESPONDER
    status: Status = Status.OK
    reward: float | None = None
    components: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def scored(self) -> bool:
        """Whether the row joins its group's baseline."""
        return self.reward is not None and STATUS_RULES[self.status].in_baseline


@dataclass(frozen=True)
class Credit:
    """What `assign` returns; all lists are aligned with its rows.

    Attributes:
        rows: The rows with rewards of rewrites filled in; None for padding.
        advantage: 0.0 where `keep` is False.
        keep: Whether the row takes part in the loss.
        lonely_groups: Groups with fewer than two scored rows.
        flat_groups: Groups whose scored rows all have the same reward.
    """

    rows: list[Row | None]
    advantage: list[float]
    keep: list[bool]
    lonely_groups: int
    flat_groups: int


def assign(
    rows: Sequence[Row | None],
    estimator: str = "grpo",
    weights: Mapping[str, float] | None = None,
    mask_truncated: bool = False,
) -> Credit:
    """Assigns an advantage to every row.

    Args:
        rows: The batch; None marks padding.
        estimator: One of `ESTIMATORS`.
        weights: Component weights; needed by `gdpo` only.
        mask_truncated: Truncated rows stay in the baseline and get no advantage.

    Raises:
        ValueError: Unknown estimator, or `gdpo` without weights.
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"unknown estimator {estimator!r}; expected one of {', '.join(ESTIMATORS)}")
    if estimator == "gdpo" and not weights:
        raise ValueError("gdpo needs the component weights")
    rows = _with_rewrite_rewards(rows)
    groups = _peers(rows)
    advantage, keep = [0.0] * len(rows), [False] * len(rows)
    flat = 0
    for members in groups.values():
        if len(members) < 2:
            continue
        values = _advantages([rows[i] for i in members], estimator, weights or {})
        flat += not _differ([rows[i] for i in members], estimator, weights or {})
        for i, value in zip(members, values, strict=True):
            masked = mask_truncated and rows[i].status is Status.TRUNCATED
            if STATUS_RULES[rows[i].status].gets_advantage and not masked:
                advantage[i], keep[i] = value, True
    if estimator == "gdpo":
        kept = [i for i, k in enumerate(keep) if k]
        if len(kept) > 1:
            for i, value in zip(kept, _standardised([advantage[i] for i in kept]), strict=True):
                advantage[i] = value
    return Credit(rows, advantage, keep, sum(len(m) < 2 for m in groups.values()), flat)


def has_signal(rows: Sequence[Row | None], estimator: str = "grpo", weights: Mapping[str, float] | None = None) -> bool:
    """Whether one prompt's group teaches anything, by the same rule as `assign`, so a sampler cannot disagree with it."""
    rows = _with_rewrite_rewards(rows)
    return any(
        len(members) > 1 and _differ([rows[i] for i in members], estimator, weights or {}) for members in _peers(rows).values()
    )


def _with_rewrite_rewards(rows: Sequence[Row | None]) -> list[Row | None]:
    """A rewrite without a reward of its own is worth the mean of its scored responses; it has none when none was scored."""
    responses: dict[tuple[str, str], list[Row]] = defaultdict(list)
    seats = {r.seat for r in rows if r}
    if Seat.REWRITER not in seats or Seat.RESPONDER not in seats:
        return list(rows)
    for row in rows:
        if row and row.seat is Seat.RESPONDER and row.scored:
            responses[row.uid, row.session].append(row)
    out: list[Row | None] = []
    for row in rows:
        if row and row.seat is Seat.REWRITER and row.reward is None:
            mine = responses[row.uid, row.session]
            names = mine[0].components if mine else ()
            row = replace(
                row,
                reward=fmean(r.reward for r in mine) if mine else None,
                components={n: _mean_or_none([r.components.get(n) for r in mine]) for n in names},
            )
        out.append(row)
    return out


def _mean_or_none(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return fmean(known) if known else None


def _peers(rows: Sequence[Row | None]) -> dict[tuple[str, ...], list[int]]:
    """Group key → indices of its scored rows (empty when the group has none)."""
    rewritten = {(r.uid, r.session) for r in rows if r and r.seat is Seat.REWRITER}
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        if row is None:
            continue
        shared = row.seat is Seat.REWRITER or (row.uid, row.session) not in rewritten
        key = (row.seat.value, row.uid) if shared else (row.seat.value, row.uid, row.session)
        members = groups[key]
        if row.scored:
            members.append(i)
    return groups


def _advantages(rows: Sequence[Row], estimator: str, weights: Mapping[str, float]) -> list[float]:
    if estimator == "dr_grpo":
        mean = fmean(r.reward for r in rows)
        return [r.reward - mean for r in rows]
    if estimator == "grpo":
        return _standardised([r.reward for r in rows])
    total = [0.0] * len(rows)
    for name, weight in weights.items():
        known = [i for i, r in enumerate(rows) if r.components.get(name) is not None]
        if len(known) < 2:
            continue
        for i, value in zip(known, _standardised([rows[i].components[name] for i in known]), strict=True):
            total[i] += weight * value
    return total


def _differ(rows: Sequence[Row], estimator: str, weights: Mapping[str, float]) -> bool:
    weighed = [n for n, weight in weights.items() if weight]
    columns = [[r.components.get(n) for r in rows] for n in weighed] if estimator == "gdpo" else [[r.reward for r in rows]]
    known = [[v for v in column if v is not None] for column in columns]
    return any(len(column) > 1 and max(column) - min(column) > EPSILON for column in known)


def _standardised(values: Sequence[float]) -> list[float]:
    mean = fmean(values)
    scale = stdev(values) + EPSILON
    return [(v - mean) / scale for v in values]
