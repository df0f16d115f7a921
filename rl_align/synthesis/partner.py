"""A model that a pipeline asks: an endpoint behind the record of answers. What is in the record is not asked for again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from rl_align.endpoints.client import Endpoint
from rl_align.endpoints.config import EndpointConfig
from rl_align.endpoints.keys import Keys, encode
from rl_align.endpoints.structured import Shape, Unfit
from rl_align.endpoints.types import Completer, Completion, EndpointError, Message, Sampling
from rl_align.errors import UserError
from rl_align.synthesis.log import Answered, ResponseLog, Spent
from rl_align.synthesis.types import Fell, PartnerFailed
from rl_align.synthesis.watch import Watch


class Partner:
    """One model: generator, judge or target. To be used in one event loop.

    The key of an answer is made of everything that decides it but the address: a server that comes back on another port is the same
    one. Another model needs another name, or another folder. Budgets hold for all runs into the same folder, by the answers kept.

    Args:
        role: Its name in settings, records and messages.
        where: Key of its endpoint's settings, for messages.
        cfg: Its endpoint.
        log: Where its answers are kept.
        watch: Whether the run goes on.

    Raises:
        UserError: A setting that cannot work, or a key that is not in the environment.
    """

    def __init__(self, role: str, where: str, cfg: EndpointConfig, log: ResponseLog, watch: Watch):
        if cfg.cache is not None:
            raise UserError(
                "is the pipeline's own", where=f"{where}.cache", fix="leave it out: responses.sqlite keeps every answer"
            )
        cfg.check(where)
        self.role, self.model, self._where = role, cfg.model, where
        self._log, self._watch = log, watch
        left, self._overspent = remaining(cfg, log.spent(role))
        self._keys = Keys(replace(cfg, base_url=f"http://{role}"))
        self._endpoint = Endpoint(left, where, repair=False)
        self._under_way: set[asyncio.Task[Answered]] = set()

    def asked(self, item: str, attempt: int, stage: str) -> Completer:
        """This model, for calls that are recorded under these names."""
        return _Asked(self, item, attempt, stage)

    async def close(self) -> None:
        """Waits for the answers under way, which are being paid for, then closes the connections."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._endpoint.aclose()

    async def find(self, key: str) -> Answered | None:
        """The recorded answer."""
        return await self._log.find(key)

    def key(
        self, messages: Sequence[Message], sampling: Sampling, schema: Mapping[str, Any] | None, version: str, sample: int
    ) -> str:
        """The key of a call. Raises EndpointError when it cannot be sent."""
        return self._keys.key(messages, sampling, schema, version, sample)

    async def buy(self, key: str, asked: _Asked, messages: Sequence[Message], sampling: Sampling, **how: Any) -> Answered:
        """Sends a call; its answer is on the disk when this returns, also for a caller that no longer waits."""
        self._watch.check()
        if self._overspent:
            self._watch.spent(self.role, f"{self._where}.{self._overspent}")
        task = asyncio.ensure_future(self._buy(key, asked, messages, sampling, how))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Answered]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may be gone; the watch knows

    async def _buy(
        self, key: str, asked: _Asked, messages: Sequence[Message], sampling: Sampling, how: Mapping[str, Any]
    ) -> Answered:
        try:
            self._watch.check()
            completion = await self._endpoint.complete(messages, sampling, **how)
        except EndpointError as error:
            self._watch.failed(self.role, error)
            raise
        self._watch.answered()
        answered = Answered(
            key, self.role, asked.item, asked.attempt, asked.stage, how["sample"], self.model, how["version"],
            completion.text, completion.finish_reason, completion.prompt_tokens, completion.completion_tokens,
        )  # fmt: skip
        await self._log.keep(answered)
        return answered


class _Asked(Completer):
    """A partner, for calls under one name."""

    def __init__(self, partner: Partner, item: str, attempt: int, stage: str):
        self._partner = partner
        self.item, self.attempt, self.stage = item, attempt, stage

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
        """See `Completer`; besides, raises Stopped once the run is over, and UserError when the answer cannot be kept.

        An answer that does not satisfy the schema comes with `parsed` None, and is not asked for again, nor is one of no use: it is
        kept like any other, as it was paid for.
        """
        key = self._partner.key(messages, sampling, schema, version, sample)
        answered = await self._partner.find(key)
        cached = answered is not None
        if answered is None:
            how = {"schema": schema, "version": version, "sample": sample}
            answered = await self._partner.buy(key, self, messages, sampling, **how)
        used = answered.prompt_tokens, answered.completion_tokens
        return Completion(answered.text, _parsed(answered.text, schema), answered.finish_reason, *used, cached=cached)


def remaining(cfg: EndpointConfig, spent: Spent) -> tuple[EndpointConfig, str]:
    """What is left of an endpoint's budgets, and which one is used up already ("" for none).

    Requests that failed are counted within a process only, as nothing is kept of them.
    """
    cost = (spent.prompt_tokens * cfg.price_prompt + spent.completion_tokens * cfg.price_completion) / 1e6
    used = {"budget_calls": spent.calls, "budget_tokens": spent.prompt_tokens + spent.completion_tokens, "budget_cost": cost}
    left = {name: getattr(cfg, name) - value for name, value in used.items() if getattr(cfg, name)}
    for name, rest in left.items():
        if rest <= 0:
            return replace(cfg), f"{name}: {used[name]:,.6g} of {getattr(cfg, name):,.6g}"
    return replace(cfg, **left), ""


async def said(
    partner: Partner,
    item: str,
    attempt: int,
    stage: str,
    messages: Sequence[Message],
    sampling: Sampling,
    version: str,
    longest: int,
) -> str:
    """What a model says, whole.

    Args:
        partner: The model.
        item: Id of the item.
        attempt: Number of the attempt, from 1; another one is another draw.
        stage: What is asked.
        messages: The chat.
        sampling: How to sample.
        version: Of the prompt.
        longest: Most characters of an answer that is used.

    Raises:
        Fell: The answer was cut off, filtered, empty or too long.
        PartnerFailed: There is none.
    """
    try:
        completion = await partner.asked(item, attempt, stage).complete(messages, sampling, version=version, sample=attempt - 1)
    except EndpointError as error:
        raise PartnerFailed(stage, f"{partner.role}_{error.reason}", error.message) from error
    if completion.finish_reason == "length":
        raise Fell(stage, "truncated", completion.text[-200:])
    if completion.finish_reason == "content_filter":
        raise Fell(stage, "filtered")
    if not completion.text.strip():
        raise Fell(stage, "empty")
    if len(completion.text) > longest:
        raise Fell(stage, "too_long", f"{len(completion.text)} characters, at most {longest}")
    return completion.text


def _parsed(text: str, schema: Mapping[str, Any] | None) -> Any:
    if schema is None:
        return None
    try:
        return _shape(encode(schema)).parse(text)
    except Unfit:
        return None


@lru_cache(maxsize=64)
def _shape(schema: str) -> Shape:
    return Shape(json.loads(schema))
