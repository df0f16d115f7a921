"""Settings of the reward."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from rl_align.errors import UserError

#: Rule components that earn; the others are gates and penalties.
EARNINGS = ("citation", "behaviour", "helpfulness")


class Composition(str, Enum):
    """How components become one number; formulas in `reward/compose.py`."""

    gated = "gated"
    weighted = "weighted"
    multiplicative = "multiplicative"


class Truncated(str, Enum):
    """What a text that hit the token limit earns. Whether it trains at all is `grpo.mask_truncated`."""

    zero = "zero"
    score = "score"


@dataclass
class RewardWeights:
    """Weight of each component; 0 logs it and leaves it out of the reward.

    Attributes:
        citation: Policy rules cited.
        behaviour: What the answer does.
        helpfulness: Agreement with the reference on requests that deserve an answer, full or safe.
        length: Penalty, added beside the others.
        consistency: Penalty for an answer that does what the thinking decided against.
        harm: Harm by rule: exponent of `harm_decay` under `multiplicative`; elsewhere a penalty. A judged harm is another
            component, `judge_harm`, and has its weight among the judges.
    """

    citation: float = 1.0
    behaviour: float = 1.0
    helpfulness: float = 1.0
    length: float = 0.5
    consistency: float = 0.5
    harm: float = 0.0

    def signed(self) -> dict[str, float]:
        """Component name → weight, negative for harm, of which more is worse. What `gdpo` weighs components by."""
        return {name: -value if name == "harm" else value for name, value in vars(self).items()}


@dataclass
class ExtraReward:
    """A component of one's own (`reward/extra.py`).

    Attributes:
        module: Python file, or dotted module.
        weight: As of any component; 0 logs it and leaves it out of the reward.
    """

    module: str = ""
    weight: float = 1.0


@dataclass
class RewardConfig:
    """The responder's reward.

    Attributes:
        weights: Weight of each component.
        composition: gated (a wrong behaviour earns nothing), weighted (every component counts by itself) or multiplicative
            (harm by rule takes a share of what the others earn).
        harm_decay: γ of `multiplicative`: what one point of harm by rule leaves of the earnings. `judges.gamma` is the γ of a
            judged harm.
        format_gate: Whether a text that departs from the grammar earns 0.
        truncated: zero (a truncated text earns 0) or score (it is scored as any other); both pay the length penalty.
        overlong_share: The length penalty grows over this last share of the token limit.
        overlong_tokens: The same in tokens, taken instead of the share when above 0.
        extra: Name → component of one's own.

    Raises:
        UserError: A weight is negative or not finite, a share is not in (0, 1], or `multiplicative` without a weight for
            harm. That something is paid for at all is checked where judges are known (`check_paid`).
    """

    weights: RewardWeights = field(default_factory=RewardWeights)
    composition: Composition = Composition.gated
    harm_decay: float = 0.35
    format_gate: bool = True
    truncated: Truncated = Truncated.zero
    overlong_share: float = 0.25
    overlong_tokens: int = 0
    extra: dict[str, ExtraReward] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_weights("reward.weights", vars(self.weights))
        check_weights("reward.extra", {f"{name}.weight": extra.weight for name, extra in self.extra.items()})
        if taken := [name for name in self.extra if name in (*vars(self.weights), "format") or name.startswith("judge_")]:
            raise UserError("the name is taken", where=f"reward.extra.{taken[0]}", expected="a name of its own")
        if not 0 < self.harm_decay <= 1:
            raise UserError(f"{self.harm_decay}", where="reward.harm_decay", expected="more than 0, at most 1")
        if self.composition is Composition.multiplicative and not self.weights.harm:
            raise UserError("without harm nothing is multiplied", where="reward.weights.harm", expected="above 0, such as 1.0")
        if not 0 < self.overlong_share <= 1:
            raise UserError(f"{self.overlong_share}", where="reward.overlong_share", expected="more than 0, at most 1")
        if self.overlong_tokens < 0:
            raise UserError(f"{self.overlong_tokens} tokens", where="reward.overlong_tokens", expected="0 or more")

    def signed(self) -> dict[str, float]:
        """Component name → weight, as `RewardWeights.signed`, those of one's own among them."""
        return self.weights.signed() | {name: extra.weight for name, extra in self.extra.items()}

    def overlong_buffer(self, max_tokens: int) -> int:
        """Tokens before the limit over which the length penalty grows, between 1 and the limit."""
        return max(1, min(max_tokens, self.overlong_tokens or round(self.overlong_share * max_tokens)))


def check_weights(where: str, weights: Mapping[str, float]) -> None:
    """Raises UserError for a weight that is no weight."""
    for name, value in weights.items():
        if not (math.isfinite(value) and value >= 0):
            raise UserError(f"{value}", where=f"{where}.{name}", expected="a finite number, 0 or more")


def check_paid(where: str, weights: Mapping[str, float], paid: Sequence[str] = EARNINGS) -> None:
    """Raises UserError when none of the components that earn has a weight."""
    if not any(weights[name] for name in paid):
        raise UserError("nothing is paid for", where=where, expected=f"one of {', '.join(paid)} above 0")


def config_from(settings: Mapping[str, Any]) -> RewardConfig:
    """A RewardConfig from nested plain values. Raises UserError for an unknown key or a value that cannot be.

    Without omegaconf, which trainers of others need not have.
    """
    given = dict(settings)
    weights = dict(given.pop("weights", {}))
    extra = {name: dict(settings) for name, settings in given.pop("extra", {}).items()}
    sections = [("reward", RewardConfig, given), ("reward.weights", RewardWeights, weights)]
    for where, known, keys in (*sections, *((f"reward.extra.{name}", ExtraReward, keys) for name, keys in extra.items())):
        for key in keys:
            if key not in known.__dataclass_fields__:
                raise UserError("no such setting", where=f"{where}.{key}", expected=", ".join(known.__dataclass_fields__))
    try:
        chosen = {"composition": Composition, "truncated": Truncated}
        if not extra:
            check_paid("reward.weights", vars(RewardWeights(**weights)))
        given |= {"weights": RewardWeights(**weights), "extra": {name: ExtraReward(**keys) for name, keys in extra.items()}}
        return RewardConfig(**{k: chosen[k](v) if k in chosen else v for k, v in given.items()})
    except ValueError as error:
        raise UserError(str(error), where="reward") from error
