"""What may be spent: money, tokens, requests. A request that could overrun it is not sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
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

    Requests under way count at their longest until their usage is known, so that many at once cannot overrun it together; one
    that finds no room beside them waits until they have landed. A failed request counts as a call; what it cost is not known and
    not counted.
    """

    def __init__(self, cfg: EndpointConfig, where: str):
        self._limit = Spending(cfg.budget_cost, cfg.budget_tokens, cfg.budget_calls)
        self._prices = cfg.price_prompt / 1e6, cfg.price_completion / 1e6
        units = {"cost": "money", "tokens": "tokens", "calls": "requests"}
        self._limited = [(name, unit) for name, unit in units.items() if getattr(self._limit, name)]
        self._where = where
        self._reserved = Spending()
        self._waiting: list[asyncio.Future[None]] = []
        self.spent = Spending()

    def price(self, prompt: int, completion: int) -> float:
        """Money for tokens read and written."""
        return prompt * self._prices[0] + completion * self._prices[1]

    async def reserve(self, prompt: int, completion: int) -> Spending:
        """Sets aside what a request may cost at most, as soon as there is room for it.

        Raises:
            EndpointError: It could overrun the budget, whatever those under way will have cost.
        """
        asked = Spending(self.price(prompt, completion), prompt + completion, 1)
        while any(self._lacking(asked, self._reserved)):
            if told := next(self._lacking(asked, Spending()), None):
                raise EndpointError(FailureReason.budget, f"{self._where}.budget_{told} spent; the next request could overrun it")
            landed = asyncio.get_running_loop().create_future()
            self._waiting.append(landed)
            try:
                await landed
            finally:
                if landed in self._waiting:
                    self._waiting.remove(landed)
        self._move(asked, 1)
        return asked

    def _lacking(self, asked: Spending, under_way: Spending) -> Iterator[str]:
        """The limits that leave no room for a request, with what is spent of each."""
        for name, unit in self._limited:
            limit, spent, taken = (getattr(part, name) for part in (self._limit, self.spent, under_way))
            if spent + taken + getattr(asked, name) > limit:
                yield f"{name}: {spent:,.6g} of {limit:,.6g} {unit}"

    def settle(self, reserved: Spending, prompt: int = 0, completion: int = 0) -> float:
        """Replaces a reservation by what was used. Returns its cost."""
        cost = self.price(prompt, completion)
        self.spent.cost += cost
        self.spent.tokens += prompt + completion
        self.spent.calls += 1
        self.release(reserved)
        return cost

    def release(self, reserved: Spending) -> None:
        """Gives back the reservation of a request that was not sent, and lets those who wait look again, in order."""
        self._move(reserved, -1)
        waiting, self._waiting = self._waiting, []
        for landed in waiting:
            if not landed.done():
                landed.set_result(None)

    def _move(self, amount: Spending, sign: int) -> None:
        self._reserved.cost += sign * amount.cost
        self._reserved.tokens += sign * amount.tokens
        self._reserved.calls += sign * amount.calls
        if not self._reserved.calls:
            self._reserved = Spending()  # what rounding has left over would be waited for
