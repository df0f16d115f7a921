"""A client of one OpenAI-compatible chat endpoint: every call ends, in a completion or in a reason why there is none."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any

from .cache import Answer, Cache, Lookups
from .config import EndpointConfig
from .flights import Flight, Flights, Landed
from .images import sendable
from .keys import Keys, encode
from .lru import Lru
from .meters import Meters
from .reply import Generated
from .secret import Secret
from .sender import Limits, Sender, Tally, estimate
from .structured import Shape, Unfit
from .types import Completer, Completion, EndpointError, FailureReason, Message, Sampling

#: Characters of schemas that are kept ready to check against.
_SHAPES = 2**20


class Endpoint(Completer):
    """One endpoint. `async with` it, or call `aclose` at the end; it can be used again, also in another event loop. One that is
    dropped closes its connections and writes what it has gathered, but ends nothing that is under way.

    Limits, budget, counts and what is in memory belong to the object and outlive an event loop. Processes share the cache file and
    nothing else. Not to be used from two running event loops at once.

    Args:
        cfg: Settings.
        where: Key of the settings, for messages.
        image_urls: Hand http(s) URLs of images on, for the endpoint to fetch. Else they are refused.
        repair: Ask once more for an answer that does not satisfy its schema, or is of no use to the caller. Else it comes as it
            is, with `parsed` None: for callers that keep every answer.

    Raises:
        UserError: A setting that cannot work, or a key that is not in the environment.
    """

    def __init__(self, cfg: EndpointConfig, where: str = "endpoint", *, image_urls: bool = False, repair: bool = True):
        cfg.check(where)
        self._cfg = replace(cfg)
        self._where = where
        self._secret = Secret.from_environment(cfg.api_key_env, f"{where}.api_key_env")
        self._image_urls = image_urls
        self._repair = repair
        self._keys = Keys(cfg, image_urls)
        self._limits = Limits(cfg, where)
        self._meters = Meters()
        self._cache = Cache(cfg.cache, cfg.cache_memory_mb, self._meters)
        self._shapes: Lru[str, Shape] = Lru(_SHAPES)
        self._bound: _Bound | None = None

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
        """See `Completer`."""
        began = time.monotonic()
        self._meters.calls += 1
        try:
            key = self._keys.key(messages, sampling, schema, version, sample)
            answer = self._cache.recall(key)
            if answer is not None:
                self._meters.memory += 1
                return answer.completion(time.monotonic() - began)
            call = _Call(key, tuple(messages), sampling, schema, sample, usable)
            return await self._complete(call, began)
        except EndpointError as error:
            self._meters.fail(error)
            raise
        except asyncio.CancelledError:
            self._meters.cancelled += 1
            raise

    def metrics(self, prefix: str = "judge") -> dict[str, float]:
        """What this endpoint did in this process: slash path → number. Seconds, tokens, money, counts.

        `request_s` are the requests that were answered, `call_s` the calls that they were sent for, waiting in line included.
        `calls` = `memory` + `disk` + `shared` + `answered` + `failed` + `cancelled` + calls under way.
        """
        return self._meters.mapping(prefix)

    async def aclose(self) -> None:
        """Ends what is under way, closes the connections, and returns when the cache is on the disk."""
        bound, self._bound = self._bound, None
        if bound is not None:
            bound.unclosed.detach()
        if bound is not None and bound.loop is asyncio.get_running_loop():
            await bound.flights.end(EndpointError(FailureReason.connection, "the endpoint was closed meanwhile"))
            await bound.sender.transport.close()
        elif bound is not None:
            bound.sender.transport.abandon()
        await asyncio.to_thread(self._cache.close)

    async def __aenter__(self) -> Endpoint:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"Endpoint({self._cfg.model!r} at {self._cfg.base_url!r})"

    def __reduce__(self):
        # An actor that is handed an endpoint makes its own, with the key of its own environment.
        return partial(Endpoint, image_urls=self._image_urls, repair=self._repair), (self._cfg, self._where)

    async def _complete(self, call: _Call, began: float) -> Completion:
        """The completion of a call that is not in memory."""
        bound = self._bind()
        answer = await bound.lookups.find(call.key)
        if answer is not None:
            self._meters.disk += 1
            return answer.completion(time.monotonic() - began)
        answer = self._cache.recall(call.key)
        if answer is not None:  # it landed during the look-up
            self._meters.memory += 1
            return answer.completion(time.monotonic() - began)
        flight = bound.flights.get(call.key)
        if flight is not None:
            landed = await flight.join(self._cfg.deadline_s)
            self._meters.shared += 1
            return landed.answer.completion(time.monotonic() - began)
        flight = bound.flights.start(call.key, lambda flight: self._fly(bound.sender, call, flight))
        answer, attempts, cost = await flight.join(self._cfg.deadline_s)
        self._meters.answered += 1
        self._meters.call_s.add(time.monotonic() - began)
        return answer.completion(time.monotonic() - began, attempts=attempts, cached=False, cost=cost)

    async def _fly(self, sender: Sender, call: _Call, flight: Flight) -> Landed:
        """Asks the endpoint, and once more when the answer cannot be used. Only one that can is kept."""
        tally = Tally()
        shape = None if call.schema is None else self._shape(call.schema)
        generated = await self._ask(sender, call, call.messages, shape, flight, tally)
        answer, problem = self._read(call, shape, generated, tally)
        if problem and self._repair:
            self._meters.repairs += 1
            again = shape.repair(call.messages, generated.text, problem) if shape and answer.parsed is None else call.messages
            generated = await self._ask(sender, call, again, shape, flight, tally)
            answer, problem = self._read(call, shape, generated, tally)
            if shape and answer.parsed is None:
                told = self._secret.redact(problem)
                what = f"the answer does not satisfy the schema, nor does its repair: {told} (requests sent: {tally.attempts})"
                raise EndpointError(FailureReason.bad_output, what)
        if not problem:
            self._cache.keep(call.key, answer)
        return Landed(answer, tally.attempts, tally.cost)

    def _read(self, call: _Call, shape: Shape | None, generated: Generated, tally: Tally) -> tuple[Answer, str]:
        """The answer, and what is wrong with it; empty when nothing is."""
        parsed, problem = None, ""
        if shape is not None:
            try:
                parsed = encode(shape.parse(generated.text))
            except Unfit as unfit:
                problem = str(unfit)
        answer = Answer(generated.text, parsed, generated.finish_reason, tally.prompt_tokens, tally.completion_tokens)
        if not problem and call.usable is not None and not call.usable(answer.completion(0.0)):
            problem = "the caller cannot use it"
        return answer, problem

    async def _ask(
        self, sender: Sender, call: _Call, messages: Sequence[Message], shape: Shape | None, flight: Flight, tally: Tally
    ) -> Generated:
        fields: dict[str, Any] = {}
        if shape is not None:
            messages, fields = shape.request(messages, self._cfg.structured)
        tokens = estimate(messages), call.sampling.max_tokens
        return await sender.send(lambda: self._body(call, messages, fields), tokens, flight, tally)

    def _body(self, call: _Call, messages: Sequence[Message], fields: Mapping[str, Any]) -> bytes:
        sampling = call.sampling
        body: dict[str, Any] = {
            "model": self._cfg.model,
            "messages": [_sendable(m) for m in messages],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed + call.sample
        body = {**body, **fields, **self._cfg.extra}
        return encode({name: value for name, value in body.items() if value is not None}).encode("ascii")

    def _shape(self, schema: Mapping[str, Any]) -> Shape:
        text = encode(schema)
        shape = self._shapes.get(text)
        if shape is None:
            shape = Shape(schema)
            self._shapes.put(text, shape, len(text))
        return shape

    def _bind(self) -> _Bound:
        """What belongs to the running event loop; made anew when it is another one than before."""
        loop = asyncio.get_running_loop()
        bound = self._bound
        if bound is not None and bound.loop is loop:
            return bound
        if bound is not None:
            if bound.loop.is_running():
                raise RuntimeError("an endpoint is used from two running event loops; make one for each")
            bound.unclosed()
        sender = Sender(self._cfg, self._secret, self._limits, self._meters)
        # Whoever cannot say when it is at its end, as a scorer cannot, leaves no open connections behind.
        unclosed = weakref.finalize(self, sender.transport.abandon)
        self._bound = _Bound(loop, sender, Flights(loop), Lookups(self._cache, loop), unclosed)
        return self._bound


@dataclass(frozen=True)
class _Bound:
    """What belongs to one event loop."""

    loop: asyncio.AbstractEventLoop
    sender: Sender
    flights: Flights
    lookups: Lookups
    unclosed: weakref.finalize


@dataclass(frozen=True)
class _Call:
    """What was asked for, and its key."""

    key: str
    messages: Sequence[Message]
    sampling: Sampling
    schema: Mapping[str, Any] | None
    sample: int
    usable: Callable[[Completion], bool] | None


def _sendable(message: Message) -> Message:
    content = message["content"]
    return message if isinstance(content, str) else {**message, "content": [sendable(p) for p in content]}
