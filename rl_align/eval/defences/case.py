"""One sample under a defence: its calls, counted and timed, and the frame that every defence runs in."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any, NamedTuple

from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput, ModelUsage
from inspect_ai.solver import Generate, Solver, TaskState

from rl_align.errors import UserError
from rl_align.eval.defences.ledger import ANSWER, KEY, Ledger, Status, Step, bounded
from rl_align.eval.defences.partners import CALL, TARGET, Partner, PartnerFailed, ends_the_sample

#: A part of a defence failed: the sample ends in an error; or the answer is the one without the defence, and the record says so.
CLOSED, OPEN = "closed", "open"


class Reply(NamedTuple):
    """An answer and the turns that led to it."""

    messages: Sequence[ChatMessage]
    output: ModelOutput


class Case:
    """One sample. A defence sees its messages, and asks the target and partners through it.

    Attributes:
        messages: The turns, as the task made them.
        ledger: The record.
        plain: The answer to these very turns, once the target has given it.
    """

    def __init__(self, state: TaskState, generate: Generate, ledger: Ledger, seed: int | None):
        self._state, self._generate, self._seed = state, generate, seed
        self.messages: list[ChatMessage] = list(state.messages)
        self.ledger = ledger
        self.plain: Reply | None = None

    async def answer(self, messages: Sequence[ChatMessage] | None = None) -> Reply:
        """The target's answer, to the turns as they are or to others: the call that there would be without a defence, too.

        Raises:
            Exception: Whatever the target's provider raises; no defence can stand in for the target.
        """
        try:
            turns = self.messages if messages is None else messages
            reply = Reply(turns, await self._ask(turns, ANSWER, 0, {}))
        except Exception as error:
            if not ends_the_sample(error):
                self.ledger.failure = {"role": TARGET, "reason": CALL, "detail": bounded(repr(error), 600)}
            raise
        if messages is None:
            self.plain = reply
        return reply

    async def target(self, messages: Sequence[ChatMessage], purpose: str, draw: int = 1, **config: Any) -> ModelOutput:
        """A further call of the target, with the task's settings of generation but for `config`.

        Args:
            messages: What it is sent.
            purpose: What for.
            draw: Number of its random stream, where the defence has a seed; 0 is that of the answer.
            config: Inspect's settings of generation.

        Raises:
            PartnerFailed: The target did not answer.
        """
        with _blamed_on(TARGET):
            return await self._ask(messages, purpose, draw, config)

    async def partner(
        self, partner: Partner, purpose: str, messages: Sequence[ChatMessage], *, max_tokens: int, temperature: float = 0.0
    ) -> ModelOutput:
        """A call of another model.

        Raises:
            PartnerFailed: It did not answer.
            UserError: Nobody plays the role.
        """
        model = partner.resolve()
        began = time.perf_counter()
        with _blamed_on(partner.role):
            output = await model.generate(list(messages), config=GenerateConfig(max_tokens=max_tokens, temperature=temperature))
        self._count(purpose, partner.role, str(model), output, time.perf_counter() - began)
        return output

    def step(self, purpose: str, role: str, seconds: float) -> None:
        """Counts work that no model did."""
        self.ledger.steps.append(Step(purpose, role, None, 0, 0, seconds))

    def refuse(self, text: str) -> Reply:
        """The defence's own refusal in place of an answer."""
        self.ledger.refused = True
        return Reply(self.messages, self.written(text, ModelUsage()))

    def written(self, text: str, usage: ModelUsage | None, stop: str = "stop") -> ModelOutput:
        """An answer that the target did not write as it stands.

        Args:
            text: The answer.
            usage: Tokens to count for it, where scorers ask for the length of the answer.
            stop: Why it ended, one of Inspect's reasons.
        """
        output = ModelOutput.from_content(str(self._state.model), text, stop_reason=stop)  # type: ignore[arg-type]
        output.usage = usage
        return output

    async def _ask(self, messages: Sequence[ChatMessage], purpose: str, draw: int, config: Mapping[str, Any]) -> ModelOutput:
        fork = copy(self._state)  # shares everything but what is set here and by `generate`
        fork.messages = list(messages)
        began = time.perf_counter()
        fork = await self._generate(fork, tool_calls="none", **self._stream(draw), **config)
        self._count(purpose, TARGET, str(self._state.model), fork.output, time.perf_counter() - began)
        return fork.output

    def _stream(self, draw: int) -> dict[str, int]:
        """The seed of a call: that of the pictogram task for the answer, so that a defence changes nothing but what it does."""
        if self._seed is None:
            return {}
        epoch = f"#{self._state.epoch}" if self._state.epoch > 1 else ""
        name = f"{self._seed}/{self._state.sample_id}{epoch}{f'/{draw}' if draw else ''}"
        return {"seed": int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1}

    def _count(self, purpose: str, role: str, model: str, output: ModelOutput, waited: float) -> None:
        used = output.usage or ModelUsage()
        read = used.input_tokens + (used.input_tokens_cache_read or 0) + (used.input_tokens_cache_write or 0)
        seconds = waited if output.time is None else output.time
        self.ledger.steps.append(Step(purpose, role, model, read, used.output_tokens, seconds))


@contextmanager
def _blamed_on(role: str) -> Iterator[None]:
    """Errors of a call become this role's failure; what ends the sample goes through."""
    try:
        yield
    except Exception as error:
        if ends_the_sample(error):
            raise
        raise PartnerFailed(role, CALL, repr(error)) from error


Defend = Callable[[Case], Awaitable[Reply]]


def defended(
    name: str,
    defend: Defend,
    *,
    prompts: Mapping[str, str] | None = None,
    on_failure: str = CLOSED,
    seed: int | None = None,
) -> Solver:
    """A solver that runs a defence and leaves its record.

    Args:
        name: Of the defence.
        defend: From a case to the answer. It raises PartnerFailed where a part of it has no result.
        prompts: What it asks → version of the prompt, for the record.
        on_failure: CLOSED or OPEN: whether a sample whose defence failed ends in an error, or gets the undefended answer.
        seed: Of the target's sampling; every call draws from a stream of its own. None leaves it to the server.

    Raises:
        UserError: `on_failure` is neither.
    """
    if on_failure not in (CLOSED, OPEN):
        raise UserError(f"is {on_failure!r}", where=f"{name}.on_failure", expected=f"{CLOSED} or {OPEN}")

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.tools:
            what = "the task gives the model tools, whose results no defence here reads"
            raise UserError(what, where=name, expected="a task of text and images")
        ledger = Ledger(name, prompts or {})
        case = Case(state, generate, ledger, seed)
        began = time.perf_counter()
        try:
            try:
                reply = await defend(case)
                ledger.status = Status.ok
            except PartnerFailed as failed:
                ledger.failure = {"role": failed.role, "reason": failed.reason, "detail": failed.detail}
                if on_failure == CLOSED:
                    raise
                reply = case.plain or await case.answer()
                ledger.status = Status.open
        except Exception as error:
            if not ends_the_sample(error):
                ledger.status = Status.failed
                ledger.failure = ledger.failure or {"role": name, "reason": "error", "detail": bounded(repr(error), 600)}
            raise
        finally:
            # Also on the way out of a sample that ends here: what was spent was spent.
            ledger.seconds = time.perf_counter() - began
            state.store.set(KEY, ledger.record())
        state.messages = [*reply.messages, reply.output.message]
        state.output = reply.output
        return state

    # What the answers depend on, for whoever keeps them.
    solve.prompts = dict(prompts or {})  # type: ignore[attr-defined]
    return solve
