"""Settings of the reward."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from rl_align.errors import UserError


class Composition(str, Enum):
    """How components become one number; formulas in `reward/compose.py`."""

    gated = "gated"
    weighted = "weighted"


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
    """

    citation: float = 1.0
    behaviour: float = 1.0
    helpfulness: float = 1.0
    length: float = 0.5


@dataclass
class RewardConfig:
    """The responder's reward.

    Attributes:
        weights: Weight of each component.
        composition: gated (a wrong behaviour earns nothing) or weighted (every component counts by itself).
        format_gate: Whether a text that departs from the grammar earns 0.
        truncated: zero (a truncated text earns 0) or score (it is scored as any other); both pay the length penalty.
        overlong_share: The length penalty grows over this last share of the token limit.
        overlong_tokens: The same in tokens, taken instead of the share when above 0.

    Raises:
        UserError: A weight is negative or not finite, no weight but that of length is above 0, or the share is not in
            (0, 1].
    """

    weights: RewardWeights = field(default_factory=RewardWeights)
    composition: Composition = Composition.gated
    format_gate: bool = True
    truncated: Truncated = Truncated.zero
    overlong_share: float = 0.25
    overlong_tokens: int = 0

    def __post_init__(self) -> None:
        weights = vars(self.weights)
        for name, value in weights.items():
            if not (math.isfinite(value) and value >= 0):
                raise UserError(f"{value}", where=f"reward.weights.{name}", expected="a finite number, 0 or more")
        if not any(value for name, value in weights.items() if name != "length"):
            raise UserError("every weight is 0", where="reward.weights", expected="one above 0 beside length")
        if not 0 < self.overlong_share <= 1:
            raise UserError(f"{self.overlong_share}", where="reward.overlong_share", expected="more than 0, at most 1")
        if self.overlong_tokens < 0:
            raise UserError(f"{self.overlong_tokens} tokens", where="reward.overlong_tokens", expected="0 or more")

    def overlong_buffer(self, max_tokens: int) -> int:
        """Tokens before the limit over which the length penalty grows, between 1 and the limit."""
        return max(1, min(max_tokens, self.overlong_tokens or round(self.overlong_share * max_tokens)))
