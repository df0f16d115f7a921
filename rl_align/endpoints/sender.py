"""Requests of one event loop: a slot, a turn, a reservation, an attempt, and another one after a pause."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .budget import Budget
from .config import EndpointConfig
from .flights import Flight
from .meters import Meters
from .pace import Pace
from .reply import Failure, Generated, Reply, read
from .secret import Secret
from .slots import Slots
from .transport import Transport
from .types import EndpointError, FailureReason, Message

#: Rough and rather high, for limits and budgets only: what is reserved until the endpoint says what was used.
_CHARACTERS_PER_TOKEN = 3
_TOKENS_PER_MESSAGE = 8
_TOKENS_PER_IMAGE = 1000


@dataclass
class Tally:
    """What one call took so far."""

    attempts: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


class Limits:
    """What all requests of an endpoint share in one process, whatever the event loop."""

    def __init__(self, cfg: EndpointConfig, where: str):
        self.budget = Budget(cfg, where)
        self.requests = Pace(cfg.requests_per_minute)
        self.tokens = Pace(cfg.tokens_per_minute)
        # A generator of its own: drawing pauses must not disturb the seeded ones of whoever calls.
        self.chance = random.Random()


class Sender:
    """Sends the requests of one event loop. To be made inside it."""

    def __init__(self, cfg: EndpointConfig, secret: Secret, limits: Limits, meters: Meters):
        self._cfg = cfg
        self._secret = secret
        self._limits = limits
        self._meters = meters
        self._loop = asyncio.get_running_loop()
        self._slots = Slots(cfg.concurrency)
        self.transport = Transport(cfg, secret)

    async def send(self, make_body: Callable[[], bytes], tokens: tuple[int, int], flight: Flight, tally: Tally) -> Generated:
        """Sends one request until it is answered.

        Args:
            make_body: Makes the request, as JSON. Called when it is sent: thousands in line, with images, would fill the memory.
            tokens: Estimates, rather high, of tokens read and written.
            flight: The call that it belongs to, with its deadline.
            tally: What the call took; added to.

        Raises:
            EndpointError: Every attempt failed, another one makes no sense, or there is no time or money for it.
        """
        while True:
            flight.doing = "waiting in line (concurrency)"
            async with self._slots.slot(begun=tally.attempts > 0):
                outcome = await self._attempt(make_body, tokens, flight, tally)
            if isinstance(outcome, Generated):
                return outcome
            tally.failures += 1
            pause = self._pause(outcome, tally.failures)
            spent = tally.failures >= self._cfg.attempts
            if not outcome.again or spent or self._loop.time() + pause > flight.deadline:
                late = f"; another try after {pause:.1f} s would miss deadline_s" if outcome.again and not spent else ""
                raise EndpointError(outcome.reason, f"{outcome.message} (requests sent: {tally.attempts}{late})")
            self._meters.retries[str(outcome.reason)] += 1
            flight.doing = f"pausing after: {outcome.message}"
            # The slot is free meanwhile: a pause costs nobody else.
            await asyncio.sleep(pause)

    async def _attempt(
        self, make_body: Callable[[], bytes], tokens: tuple[int, int], flight: Flight, tally: Tally
    ) -> Generated | Failure:
        flight.doing = "waiting for room in the budget beside the requests under way"
        reserved = await self._limits.budget.reserve(*tokens)
        sent, used = False, (0, 0)
        try:
            await self._turn(sum(tokens), flight)
            flight.doing = "waiting for the endpoint's answer"
            sent = True
            tally.attempts += 1
            self._meters.requests += 1
            began = self._loop.time()
            reply = await self.transport.post(make_body())
            outcome = read(reply, self._secret.redact) if isinstance(reply, Reply) else reply
            if isinstance(outcome, Generated):
                self._meters.request_s.add(self._loop.time() - began)
                used = _used(outcome, tokens)
            return outcome
        finally:
            self._limits.tokens.correct(sum(used) - sum(tokens))
            if sent:
                # What a failed request cost is not known.
                cost = self._limits.budget.settle(reserved, *used)
                self._count(used, cost, tally)
            else:
                self._limits.requests.correct(-1)
                self._limits.budget.release(reserved)

    async def _turn(self, tokens: int, flight: Flight) -> None:
        """Waits for the rate limits."""
        now = self._loop.time()
        wait = max(self._limits.requests.take(1, now), self._limits.tokens.take(tokens, now))
        if wait and now + wait > flight.deadline:
            what = "requests_per_minute and tokens_per_minute leave no turn before deadline_s"
            raise EndpointError(FailureReason.rate_limited, what)
        if wait:
            flight.doing = "waiting for a turn (requests_per_minute, tokens_per_minute)"
            await asyncio.sleep(wait)

    def _count(self, used: tuple[int, int], cost: float, tally: Tally) -> None:
        for counts in (tally, self._meters):
            counts.prompt_tokens += used[0]
            counts.completion_tokens += used[1]
            counts.cost += cost

    def _pause(self, failure: Failure, failures: int) -> float:
        """Full jitter: anything up to an end that doubles, so that calls that failed together do not come back together."""
        end = min(self._cfg.backoff_max_s, self._cfg.backoff_s * 2 ** min(failures - 1, 30))
        drawn = self._limits.chance.uniform(0, end)
        if not failure.after_s:
            return drawn
        # Some jitter on top, or all would come back at the very moment.
        return max(drawn, failure.after_s + self._limits.chance.uniform(0, self._cfg.backoff_s))


def estimate(messages: Sequence[Message]) -> int:
    """Tokens of a chat, rather too many than too few."""
    tokens = 0
    for message in messages:
        content = message["content"]
        parts: Sequence[Mapping] = [{"type": "text", "text": content}] if isinstance(content, str) else content
        tokens += _TOKENS_PER_MESSAGE
        for part in parts:
            tokens += len(part["text"]) // _CHARACTERS_PER_TOKEN + 1 if part["type"] == "text" else _TOKENS_PER_IMAGE
    return tokens


def _used(generated: Generated, tokens: tuple[int, int]) -> tuple[int, int]:
    """Tokens used: as the endpoint says, else an estimate."""
    prompt, completion = generated.prompt_tokens, generated.completion_tokens
    if completion is None:
        completion = min(tokens[1], len(generated.text) // _CHARACTERS_PER_TOKEN + 1)
    return tokens[0] if prompt is None else prompt, completion
