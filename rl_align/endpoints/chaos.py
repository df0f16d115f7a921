"""What can go wrong at an endpoint, by share of its requests."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields
from enum import Enum


class Mishap(str, Enum):
    """One thing that goes wrong with one request."""

    delay = "delay"
    drop = "drop"
    rate_limited = "rate_limited"
    rate_limited_mute = "rate_limited_mute"
    server_error = "server_error"
    truncated_json = "truncated_json"
    truncated_reply = "truncated_reply"
    wrong_language = "wrong_language"
    silent = "silent"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Chaos:
    """Shares of requests, each 0 or more and together at most 1.

    Attributes:
        delay: Answered late, by `delay_s`.
        drop: The connection is cut instead of an answer.
        rate_limited: 429 with `Retry-After`.
        rate_limited_mute: 429 without it.
        server_error: 500.
        truncated_json: The generated text ends in its middle.
        truncated_reply: The body of the reply ends in its middle.
        wrong_language: Words instead of what was asked for, and not in English.
        silent: Never answered.
        delay_s: How late.
        retry_after_s: What `Retry-After` says.
    """

    delay: float = 0.0
    drop: float = 0.0
    rate_limited: float = 0.0
    rate_limited_mute: float = 0.0
    server_error: float = 0.0
    truncated_json: float = 0.0
    truncated_reply: float = 0.0
    wrong_language: float = 0.0
    silent: float = 0.0
    delay_s: float = 1.0
    retry_after_s: float = 1.0

    def __post_init__(self) -> None:
        shares = [getattr(self, m.value) for m in Mishap]
        if min(shares) < 0 or sum(shares) > 1 + 1e-9:
            raise ValueError("the shares of a chaos are each 0 or more and together at most 1")

    @classmethod
    def even(cls, share: float, **others: float) -> Chaos:
        """This share of the requests, spread evenly over every mishap that `others` does not set."""
        names = [m.value for m in Mishap if m.value not in others]
        left = share - sum(others.get(m.value, 0.0) for m in Mishap)
        return cls(**{name: left / len(names) for name in names}, **others)

    def draw(self, chance: random.Random) -> Mishap | None:
        """What happens to the next request; None for nothing."""
        at = chance.random()
        for mishap in Mishap:
            at -= getattr(self, mishap.value)
            if at < 0:
                return mishap
        return None


def parse(text: str) -> Chaos:
    """A chaos from `name=number` pairs joined by commas, such as `drop=0.1,delay=0.05,delay_s=2`. Raises ValueError."""
    pairs = dict(part.split("=", 1) for part in text.split(",") if part)
    unknown = sorted(set(pairs) - {f.name for f in fields(Chaos)})
    if unknown:
        raise ValueError(f"no mishap is called {unknown[0]}")
    return Chaos(**{name: float(value) for name, value in pairs.items()})
