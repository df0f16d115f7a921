"""Credit assignment: from the rewards of a batch to one advantage per text. Pure, no torch, no engine.

Who competes with whom (peers):
    * rewrites of one prompt compete with each other; a rewrite without a reward of its own is worth the mean over its scored
      responses;
    * responses to one prompt, or to one rewrite of it, compete with each other.

Estimators, over the scored rewards r of one group of peers:
    * `grpo`: (r - mean) / (std + 1e-6), unbiased std (DeepSeekMath, arXiv 2402.03300);
    * `dr_grpo`: r - mean (Dr.GRPO, arXiv 2503.20783);
    * `gdpo`: every component normalised within its group, weighted sum, then normalised over all scored rows of the batch,
      also those that are masked afterwards (GDPO, arXiv 2601.05242: plain GRPO collapses distinct reward vectors into one
      number). A closed gate multiplies what a text earns by 0, so each component of such a row counts as 0, or as the
      worst of its group where that is worse: it never gains by a component that the gate has taken away.

A row without a reward (unscored, a partner's failure, a time-out) joins neither baseline nor loss, and a group left with
fewer than two scored rows teaches nothing and is counted. So is a row whose reward or component is no finite number.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev

from rl_align.schema import STATUS_RULES, Seat, Status

#: Added to the standard deviation, as verl's GRPO does; values no further apart are taken for equal.
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
        gate: Name of the gate that closed, or None.
    """

    uid: str
    session: str
    seat: Seat = Seat.RESPONDER
    status: Status = Status.OK
    reward: float | None = None
    components: Mapping[str, float | None] = field(default_factory=dict)
    gate: str | None = None

    @property
    def scored(self) -> bool:
        """Whether the row joins its group's baseline."""
        return self.reward is not None and STATUS_RULES[self.status].in_baseline


@dataclass(frozen=True)
class Credit:
    """What `assign` returns; all lists are aligned with its rows.

    Attributes:
        rows: The rows with rewards of rewrites filled in, and without numbers that are not finite; None for padding.
        advantage: 0.0 where `keep` is False.
        keep: Whether the row takes part in the loss.
        lonely_groups: Groups with fewer than two scored rows.
        flat_groups: Other groups that teach nothing: their rewards are all the same, or no row of theirs takes part.
        not_finite: Rows with a reward or a component that is no finite number; they are unscored.
    """

    rows: list[Row | None]
    advantage: list[float]
    keep: list[bool]
    lonely_groups: int
    flat_groups: int
    not_finite: int = 0


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
    given, rows = rows, _finite(rows)
    not_finite = sum(row is not old for row, old in zip(rows, given, strict=True))
    rows = _with_rewrite_rewards(rows)
    groups = _peers(rows)
    values = _values(rows, groups, estimator, weights or {})
    advantage, keep = [0.0] * len(rows), [False] * len(rows)
    flat = 0
    for members in filter(_compete, groups):
        for i in members:
            if _takes_part(rows[i], mask_truncated):
                advantage[i], keep[i] = values[i], True
        flat += not any(keep[i] and abs(values[i]) > EPSILON for i in members)
    if estimator == "gdpo" and len(values) > 1:
        # A sum over the batch is 0 by construction; masked rows must not shift it.
        scale = stdev(values.values()) + EPSILON
        advantage = [a / scale for a in advantage]
    return Credit(rows, advantage, keep, sum(not _compete(members) for members in groups), flat, not_finite)


def has_signal(
    rows: Sequence[Row | None],
    estimator: str = "grpo",
    weights: Mapping[str, float] | None = None,
    mask_truncated: bool = False,
) -> bool:
    """Whether one prompt's group teaches anything, by the same values as `assign`, so a sampler cannot disagree with it."""
    rows = _with_rewrite_rewards(_finite(rows))
    values = _values(rows, _peers(rows), estimator, weights or {})
    return any(abs(value) > EPSILON and _takes_part(rows[i], mask_truncated) for i, value in values.items())


def _takes_part(row: Row, mask_truncated: bool) -> bool:
    return STATUS_RULES[row.status].gets_advantage and not (mask_truncated and row.status is Status.TRUNCATED)


def _finite(rows: Sequence[Row | None]) -> list[Row | None]:
    """The rows; one with a number that is not finite is unscored, whatever else it has: it was not measured as its peers."""
    out: list[Row | None] = []
    for row in rows:
        if row and not all(math.isfinite(v) for v in (row.reward, *row.components.values()) if v is not None):
            components = {name: v if v is not None and math.isfinite(v) else None for name, v in row.components.items()}
            row = replace(row, reward=None, status=Status.JUDGE_UNSCORED, components=components)
        out.append(row)
    return out


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


def _peers(rows: Sequence[Row | None]) -> list[list[int]]:
    """Indices of the scored rows of each group (none when the group has none)."""
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
    return list(groups.values())


def _compete(members: Sequence[int]) -> bool:
    return len(members) > 1


def _values(
    rows: Sequence[Row | None], groups: Sequence[Sequence[int]], estimator: str, weights: Mapping[str, float]
) -> dict[int, float]:
    """Index → what a row is worth beside its peers, before the batch is looked at; rows without peers have no value."""
    values: dict[int, float] = {}
    for members in filter(_compete, groups):
        values |= zip(members, _advantages([rows[i] for i in members], estimator, weights), strict=True)
    return values


def _advantages(rows: Sequence[Row], estimator: str, weights: Mapping[str, float]) -> list[float]:
    if estimator != "gdpo":
        return _centred([r.reward for r in rows], by_spread=estimator == "grpo")
    total = [0.0] * len(rows)
    for name, weight in weights.items():
        scores = _signed([r.components.get(name) for r in rows], [r.gate for r in rows], weight)
        known = [i for i, score in enumerate(scores) if score is not None]
        for i, value in zip(known, _centred([scores[i] for i in known]), strict=True):
            total[i] += abs(weight) * value
    return total


def _signed(scores: Sequence[float | None], gates: Sequence[str | None], weight: float) -> list[float | None]:
    """Scores of one component of which more is better, with those of gated rows at 0 or at the worst of their peers."""
    signed = [None if score is None else math.copysign(1.0, weight) * score for score in scores]
    known = [score for score in signed if score is not None]
    if not known:
        return signed
    worst = min(0.0, *known)
    return [score if gate is None else worst for score, gate in zip(signed, gates, strict=True)]


def _centred(values: Sequence[float], by_spread: bool = True) -> list[float]:
    """Distances from the mean, in standard deviations unless told otherwise; all 0 where nothing differs."""
    if len(values) < 2 or max(values) - min(values) <= EPSILON:
        return [0.0] * len(values)
    mean = fmean(values)
    scale = stdev(values) + EPSILON if by_spread else 1.0
    return [(v - mean) / scale for v in values]
