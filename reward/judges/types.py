"""The nouns of judging: what a judge is asked, what a vote says, what an opinion is and what it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from rl_align.endpoints.types import Completion, Message
from rl_align.schema import Response, Rewrite, Unscored, Verdict

#: What a judge can look at.
Shown = Response | Rewrite


class Why(str, Enum):
    """Why a judge has no opinion. A closed set: the endpoint's failures, then the judge's own."""

    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    SERVER = "server"
    CONNECTION = "connection"
    BAD_REQUEST = "bad_request"
    BUDGET = "budget"
    TOO_LARGE = "too_large"
    BAD_OUTPUT = "bad_output"
    OUT_OF_SET = "out_of_set"
    TRUNCATED = "truncated"
    JUDGE_REFUSED = "judge_refused"
    NO_QUORUM = "no_quorum"
    TIE = "tie"
    BAD_ITEM = "bad_item"
    NOT_APPLICABLE = "not_applicable"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Request:
    """What goes to the endpoint for one opinion; every vote sends the same.

    Attributes:
        messages: The chat.
        schema: JSON schema of the answer; None for text.
        version: Of the prompt, for the endpoint's cache.
    """

    messages: Sequence[Message]
    schema: Mapping[str, Any] | None = None
    version: str = ""


@dataclass(frozen=True)
class Ballot:
    """One valid vote: a label of the preset's closed set, and the judge's reason for it."""

    label: str
    reason: str = ""


@dataclass(frozen=True)
class Failure:
    """A vote without a label."""

    why: Why
    detail: str = ""


@dataclass(frozen=True)
class Usage:
    """What opinions took, summed over their votes.

    Attributes:
        votes: Votes that were asked for.
        answered: Votes that came back, with a valid label or not.
        failed: Votes without a valid label.
        attempts: Requests sent, of votes that came back.
        cached: Votes answered from the cache.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
        latency_s: Seconds, summed over votes although they run side by side.
        cost: Money, in the endpoint's currency.
    """

    votes: int = 0
    answered: int = 0
    failed: int = 0
    attempts: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_s: float = 0.0
    cost: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    @classmethod
    def of(cls, completion: Completion | None, failed: bool) -> Usage:
        """One vote's; without a completion, the endpoint failed."""
        if completion is None:
            return cls(votes=1, failed=1)
        return cls(
            votes=1,
            answered=1,
            failed=int(failed),
            attempts=completion.attempts,
            cached=int(completion.cached),
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            latency_s=completion.latency_s,
            cost=completion.cost,
        )


@dataclass(frozen=True)
class JudgeVerdict(Verdict):
    """A judge's verdict; `score` lies in the preset's declared range.

    Attributes:
        label: The label that was decided on; empty when there was nothing to ask a judge about.
        votes: Labels of the valid votes, in the order of their index.
        usage: What it took.
    """

    label: str = ""
    votes: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)

    @property
    def agreement(self) -> float:
        """Share of the valid votes that chose the label, in [0, 1]: a confidence by self-consistency (arXiv 2203.11171)."""
        return self.votes.count(self.label) / len(self.votes) if self.votes else 1.0


@dataclass(frozen=True)
class JudgeUnscored(Unscored):
    """No opinion. `reason` is a value of `Why`.

    Attributes:
        detail: For the person who reads it.
        usage: What it took.
    """

    detail: str = ""
    usage: Usage = field(default_factory=Usage)


Opinion = JudgeVerdict | JudgeUnscored


def unscored(why: Why, detail: str = "", usage: Usage | None = None) -> JudgeUnscored:
    """No opinion, for this reason."""
    return JudgeUnscored(why.value, detail, usage or Usage())
