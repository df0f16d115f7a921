"""What may be spent: money, tokens, requests. A request that could overrun it is not sent."""

from __future__ import annotations

from dataclasses import dataclass

from .config import EndpointConfig
from .types import EndpointError, FailureReason


@dataclass
class Spending:
    """Amounts, of what is spent or of what may be."""

    cost: float = 0.0
    tokens: int = 0
    calls: int = 0


class Budget:
    """The budget of one process.

    Requests under way count at their longest until their usage is known, so that many at once cannot overrun it together.
    A failed request counts as a call; what it cost is not known and not counted.
    """

    def __init__(self, cfg: EndpointConfig, where: str):
        self._limit = Spending(cfg.budget_cost, cfg.budget_tokens, cfg.budget_calls)
        self._prices = cfg.price_prompt / 1e6, cfg.price_completion / 1e6
        self._where = where
        self._reserved = Spending()
        self.spent = Spending()

    def price(self, prompt: int, completion: int) -> float:
        """Money for tokens read and written."""
        return prompt * self._prices[0] + completion * self._prices[1]

    def reserve(self, prompt: int, completion: int) -> Spending:
        """Sets aside what a request may cost at most.

        Raises:
            EndpointError: It could overrun the budget.
        """
        asked = Spending(self.price(prompt, completion), prompt + completion, 1)
        for name, unit in (("cost", "money"), ("tokens", "tokens"), ("calls", "requests")):
            limit, spent, under_way = (getattr(part, name) for part in (self._limit, self.spent, self._reserved))
            if limit and spent + under_way + getattr(asked, name) > limit:
                shown = f"{spent:,.6g} of {limit:,.6g} {unit} spent, up to {under_way:,.6g} more under way"
                told = f"{self._where}.budget_{name}: {shown}; the next request could overrun it"
                raise EndpointError(FailureReason.budget, told)
        self._move(asked, 1)
        return asked

    def settle(self, reserved: Spending, prompt: int = 0, completion: int = 0) -> float:
        """Replaces a reservation by what was used. Returns its cost."""
        self._move(reserved, -1)
        cost = self.price(prompt, completion)
        self.spent.cost += cost
        self.spent.tokens += prompt + completion
        self.spent.calls += 1
        return cost

    def release(self, reserved: Spending) -> None:
        """Gives back the reservation of a request that was not sent."""
        self._move(reserved, -1)

    def _move(self, amount: Spending, sign: int) -> None:
        self._reserved.cost += sign * amount.cost
        self._reserved.tokens += sign * amount.tokens
        self._reserved.calls += sign * amount.calls
