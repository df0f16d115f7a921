"""The first two steps: the rewriter is shown images and text, names the threat and the intent, and writes the prompt handed on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rl_align.endpoints.types import Completer, Completion, EndpointError, FailureReason, Sampling
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Rewrite
from rl_align.transcript.rewriter import CUT_OFF, parse_rewrite, usable

from .config import RewritingConfig
from .conversation import Conversation, Turn
from .errors import Code, GuardError
from .messages import Message
from .tokens import break_grammar, breaker

#: Around the other turns. Without any, the rewriter reads what it reads in training: the images and the bare prompt. The request
#: stands last, so that its text cannot pass for what stands behind it.
EARLIER = "Earlier turns of the conversation, one a line:\n"
LATER = "What stands behind the request, one a line:\n"
REQUEST = "\n\nThe request to rewrite:\n"
#: Stands for the text of a turn that shows images only.
NO_TEXT = "(The person shows this and writes nothing.)"

_REFUSED = (FailureReason.bad_request, FailureReason.too_large, FailureReason.budget)
_UNREACHABLE = (FailureReason.connection, FailureReason.rate_limited)


@dataclass(frozen=True)
class Rewriting:
    """What the rewriter was asked, and what came of it.

    Attributes:
        asked: The messages that it was sent.
        analysis: Its parsed transcript; None when there is none.
        text: The prompt handed on, fit for a template; None when the rewriter failed.
        failure: Why there is no such prompt; None when there is one.
        seconds: From the call to its end.
    """

    asked: Sequence[Message]
    analysis: Rewrite | None
    text: str | None
    failure: GuardError | None
    seconds: float


class Rewriter:
    """Asks one rewriter.

    Args:
        completer: The endpoint that serves it.
        cfg: How it is asked.
    """

    def __init__(self, completer: Completer, cfg: RewritingConfig):
        self._completer = completer
        self._cfg = cfg
        self._break = breaker(cfg.special_tokens)
        self._sampling = Sampling(cfg.temperature, 1.0, cfg.max_tokens, cfg.seed)
        self._catalogue = Catalogue.load()

    async def rewrite(self, conversation: Conversation, turn: Turn) -> Rewriting:
        """Rewrites a turn. Never raises for a rewriter that fails: the failure is in the result."""
        asked = self.question(conversation, turn)
        began = time.perf_counter()
        try:
            completion = await self._completer.complete(asked, self._sampling)
        except EndpointError as error:
            return Rewriting(asked, None, None, _failed(error), time.perf_counter() - began)
        seconds = time.perf_counter() - began
        analysis = parse_rewrite(completion.text, self._catalogue)
        failure = self._refused(completion, analysis)
        # The rewrite goes into the target's template, and a rewriter can be talked into spelling out anything.
        text = None if failure else self._break(analysis.rewrite or "")
        return Rewriting(asked, analysis, text, failure, seconds)

    def question(self, conversation: Conversation, turn: Turn) -> list[Message]:
        """What the rewriter is sent: its system message; images and text of a turn; above it the turns before, and with the last
        turn of a chat all that stands behind it, such as what a tool returned.
        """
        said = conversation.text(turn)
        prompt = said if said.strip() else NO_TEXT
        before = conversation.before(turn, self._cfg.context_characters)
        after = conversation.after(turn) if turn == conversation.last else ""
        around = [f"{name}{lines}" for name, lines in ((EARLIER, before), (LATER, after)) if lines]
        text = "\n\n".join(around) + REQUEST + prompt if around else prompt
        text = break_grammar(self._break(text))
        content: str | list[Mapping[str, Any]] = text
        if images := conversation.shown(turn):
            shown = ({"type": "image_url", "image_url": {"url": site.url}} for site in images)
            content = [*shown, {"type": "text", "text": text}]
        return [{"role": "system", "content": self._cfg.system}, {"role": "user", "content": content}]

    def _refused(self, completion: Completion, analysis: Rewrite) -> GuardError | None:
        """Why a transcript is not taken."""
        told = f"finish_reason {completion.finish_reason}, problems {', '.join(analysis.problems) or 'none'}"
        if completion.finish_reason in CUT_OFF:
            what = "the rewriter's transcript was cut off at its longest length (rewriting.max_tokens)"
            return GuardError(Code.rewriter_truncated, what, detail=told)
        if not usable(analysis, completion.finish_reason) or (self._cfg.strict and analysis.problems):
            return GuardError(Code.rewriter_unreadable, "the rewriter's transcript holds no rewrite that can be used", detail=told)
        return None


def _failed(error: EndpointError) -> GuardError:
    if error.reason in _REFUSED:
        return GuardError(Code.rewriter_refused, f"the rewriter does not take this request ({error.reason})", detail=error.message)
    if error.reason is FailureReason.timeout:
        return GuardError(Code.rewriter_timeout, "the rewriter did not answer in time", detail=error.message)
    if error.reason in _UNREACHABLE:
        return GuardError(Code.rewriter_unreachable, f"the rewriter cannot be reached ({error.reason})", detail=error.message)
    return GuardError(Code.rewriter_failed, f"the rewriter did not answer ({error.reason})", detail=error.message)
