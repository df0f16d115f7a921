"""The three steps around a model whose weights stay as they are: threat and intent are named, the prompt rewritten, then answered.

guard = Guard(Endpoint(EndpointConfig(rewriter_url, "rewriter")), Endpoint(EndpointConfig(target_url, "target")))
result = guard.respond_now([{"role": "user", "content": [image_part(png), {"type": "text", "text": "What is this?"}]}])
result.analysis.intent, result.answer
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from rl_align.endpoints.client import Endpoint
from rl_align.endpoints.types import Completer, Completion, EndpointError, FailureReason, Sampling
from rl_align.schema import Rewrite

from .config import GuardConfig, OnFailure
from .conversation import look_through
from .errors import OUTAGES, Code, GuardError
from .fetch import Lookup
from .images import Images
from .messages import Message
from .rewriting import Rewriter, Rewriting
from .room import Lease, Room
from .turns import TurnsRewriter


@dataclass(frozen=True)
class Prepared:
    """A chat that is ready for the target.

    Attributes:
        messages: What the target is sent.
        rewriting: What the rewriter was asked and said of the last turn.
        failure: Why a turn is the person's own: the rewriter failed, and the configuration lets it pass. None when none is.
        seconds: What the rewriter took for all turns together.
    """

    messages: list[Message]
    rewriting: Rewriting
    failure: GuardError | None
    seconds: float

    @property
    def bypassed(self) -> bool:
        """Whether a turn is the person's own."""
        return self.failure is not None


@dataclass(frozen=True)
class Timings:
    """Seconds: the rewriter's, the target's, and what the guard itself took beside them."""

    rewriter_s: float
    target_s: float
    overhead_s: float


@dataclass(frozen=True)
class Guarded:
    """An answer, and how it came about.

    Attributes:
        answer: The target's text.
        completion: The target's whole completion.
        analysis: The rewriter's transcript, parsed: threat, policy, intent, rewrite. None when there is none to read.
        bypassed: The rewriter failed, and the target was sent the person's own prompt.
        failure: Why the rewriter failed; None when it did not.
        asked: The messages that the rewriter was sent.
        sent: The messages that the target was sent.
        timings: Where the time went.
    """

    answer: str
    completion: Completion
    analysis: Rewrite | None
    bypassed: bool
    failure: GuardError | None
    asked: Sequence[Message]
    sent: Sequence[Message]
    timings: Timings


class Guard:
    """A rewriter in front of a target. `async with` it, or call `aclose` at the end; it can be used again.

    Args:
        rewriter: The endpoint that serves the rewriter.
        target: The endpoint that answers; None where only `prepare` is used.
        cfg: Settings; those of the endpoints, of `upstream` and most of `server` are not read here.
        lookup: Resolves host names of image URLs, blocking; the system's resolver by default.

    Raises:
        UserError: A setting that cannot work.
    """

    def __init__(
        self, rewriter: Completer, target: Completer | None = None, cfg: GuardConfig | None = None, *, lookup: Lookup | None = None
    ):
        cfg = cfg or GuardConfig()
        cfg.rewriting.check("guard.rewriting")
        cfg.images.check("guard.images")
        self._completers = (rewriter, target)
        self._target = target
        self._rewriting = cfg.rewriting
        self._rewriter = TurnsRewriter(Rewriter(rewriter, cfg.rewriting), cfg.rewriting)
        self._images = Images(cfg.images, lookup)
        self.room = Room(int(cfg.server.max_bodies_mb * 2**20))

    async def respond(self, messages: Sequence[Message], sampling: Sampling = Sampling()) -> Guarded:  # noqa: B008 (frozen)
        """The answer to a chat whose user turns were rewritten.

        Args:
            messages: OpenAI's form. Images as `data:` or http(s) URLs, as bytes, or as `file://` URLs of a configured folder.
            sampling: How the target samples.

        Raises:
            GuardError: The chat or an image cannot be taken, the rewriter failed and `on_failure` does not let the
                request pass, or the target failed.
        """
        if self._target is None:
            raise ValueError("this guard has no target to answer; give it one, or call prepare")
        began = time.perf_counter()
        prepared = await self.prepare(messages)
        asked = time.perf_counter()
        try:
            completion = await self._target.complete(prepared.messages, sampling)
        except EndpointError as error:
            raise _target_failed(error) from None
        ended = time.perf_counter()
        spent = prepared.seconds, ended - asked
        return Guarded(
            answer=completion.text,
            completion=completion,
            analysis=prepared.rewriting.analysis,
            bypassed=prepared.bypassed,
            failure=prepared.failure,
            asked=prepared.rewriting.asked,
            sent=prepared.messages,
            timings=Timings(*spent, ended - began - sum(spent)),
        )

    def respond_now(self, messages: Sequence[Message], sampling: Sampling = Sampling()) -> Guarded:  # noqa: B008 (frozen)
        """`respond` for code without an event loop. Raises what it raises, and RuntimeError inside a running loop."""

        async def respond() -> Guarded:
            async with self:
                return await self.respond(messages, sampling)

        return asyncio.run(respond())

    async def prepare(self, messages: Any, lease: Lease | None = None) -> Prepared:
        """The first two steps: what the target is to be sent.

        Args:
            messages: The chat, trusted in nothing.
            lease: Pays for images that are fetched; by default one that ends with this call.

        Raises:
            GuardError: The chat or an image cannot be taken, or the rewriter failed and `on_failure` does not let the
                request pass.
        """
        if lease is None:
            with self.room.lease() as lease:
                return await self.prepare(messages, lease)
        cfg = self._rewriting
        conversation = look_through(messages, allow_prefill=cfg.allow_prefill, allow_other_content=cfg.allow_other_content)
        conversation = await self._images.settle(conversation, lease)
        rewritten = await self._rewriter.rewrite(conversation)
        failure = rewritten.failure
        if failure is not None:
            outage = failure.code in OUTAGES
            if cfg.on_failure is OnFailure.closed or (cfg.on_failure is OnFailure.open_on_outage and not outage):
                raise failure
        return Prepared(conversation.rewritten(rewritten.texts), rewritten.last, failure, rewritten.seconds)

    async def aclose(self) -> None:
        """Closes connections and threads, those of the endpoints too."""
        await self._images.close()
        for completer in self._completers:
            if isinstance(completer, Endpoint):
                await completer.aclose()

    async def __aenter__(self) -> Guard:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()


def _target_failed(error: EndpointError) -> GuardError:
    code, what = Code.upstream_failed, "the target has no answer"
    if error.reason is FailureReason.timeout:
        code, what = Code.upstream_timeout, "the target did not answer in time"
    elif error.reason is FailureReason.connection:
        code, what = Code.upstream_unreachable, "the target cannot be reached"
    return GuardError(code, f"{what} ({error.reason})", detail=error.message)
