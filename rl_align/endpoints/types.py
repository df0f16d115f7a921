"""What a caller of an endpoint sees: messages, sampling, completions, failures. A leaf: only the standard library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

#: A chat message of OpenAI's form. `content` is a string or a list of parts: `{"type": "text", "text": ...}` or
#: `{"type": "image_url", "image_url": {"url": ...}}` with a base64 `data:` URL or the image's bytes. Other URLs are refused,
#: http(s) ones unless the endpoint was made to hand them on.
Message = Mapping[str, Any]


@dataclass(frozen=True)
class Sampling:
    """How an endpoint samples.

    Attributes:
        temperature: 0 is greedy.
        top_p: Share of the probability mass that is sampled from.
        max_tokens: Longest answer.
        seed: Sent when given, plus the index of the vote: votes with one seed would be one vote.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 512
    seed: int | None = None


@dataclass(frozen=True)
class Completion:
    """An answer.

    Attributes:
        text: As generated.
        parsed: What the text says under the schema that was asked for; None without a schema.
        finish_reason: Why generation ended, in the endpoint's words.
        prompt_tokens: Tokens read for the answer, repair included; from the endpoint, else an estimate.
        completion_tokens: Tokens written for the answer, likewise.
        latency_s: Seconds from the call to its answer, waiting in line included.
        attempts: Requests sent for this call; 0 when none was.
        cached: Whether the answer came from the cache, or from an identical call that was under way.
        cost: Money that this call cost, by the configured prices.
    """

    text: str
    parsed: Any = None
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_s: float = 0.0
    attempts: int = 1
    cached: bool = False
    cost: float = 0.0


class FailureReason(str, Enum):
    """Why a call has no completion. A closed set."""

    timeout = "timeout"
    rate_limited = "rate_limited"
    server = "server"
    connection = "connection"
    bad_request = "bad_request"
    bad_output = "bad_output"
    budget = "budget"
    too_large = "too_large"

    def __str__(self) -> str:
        return self.value


class EndpointError(Exception):
    """A call without a completion. It says nothing about what was to be judged, so it must never become a score.

    Args:
        reason: One of the closed set.
        message: For the person who reads it; holds no key.
    """

    def __init__(self, reason: FailureReason, message: str):
        # Both are arguments of the exception, so that it can be pickled on its way out of an actor.
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class Completer(Protocol):
    """Whatever completes chats: an endpoint, or a scripted stand-in."""

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling = Sampling(),  # noqa: B008 (frozen)
        *,
        schema: Mapping[str, Any] | None = None,
        version: str = "",
        sample: int = 0,
        usable: Callable[[Completion], bool] | None = None,
    ) -> Completion:
        """One completion.

        Args:
            messages: The chat so far.
            sampling: How to sample.
            schema: JSON schema that the answer must satisfy; `parsed` holds the value then.
            version: Version of the prompt; another version is another entry of the cache.
            sample: Index of an independent vote; another index is another entry of the cache.
            usable: Whether the caller can do anything with an answer; must not raise. One that it cannot use is asked for once
                more, then handed over as it is, and never kept.

        Raises:
            EndpointError: There is no completion, and why. Nothing else is raised.
        """
        ...
