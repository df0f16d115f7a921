"""Which turns of a chat are rewritten, and which rewrites are remembered: a client sends earlier turns as the person wrote them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from rl_align.endpoints.lru import Lru

from .config import RewritingConfig, Turns
from .conversation import Conversation, Turn
from .errors import OUTAGES, Code, GuardError
from .rewriting import Rewriter, Rewriting

#: Questions of one request at the same time: a long chat must not take the rewriter away from everybody else.
_AT_ONCE = 8
#: Memory of a remembered rewrite beside its text.
_ENTRY = 300


@dataclass(frozen=True)
class Rewritten:
    """What came of a chat's turns.

    Attributes:
        texts: The new text of every turn that has one.
        last: What the rewriter was asked and said of the last turn.
        failure: Why a turn has no new text; None when all have one.
        seconds: From the first question to the last answer.
    """

    texts: Mapping[Turn, str]
    last: Rewriting
    failure: GuardError | None
    seconds: float


class TurnsRewriter:
    """Rewrites chats.

    A rewrite is remembered with a digest of the chat up to the end of its turn, and only when nothing stood behind the turn: so it
    says nothing that another chat with the same digest does not say, and nobody can put a rewrite into somebody else's chat.

    Args:
        rewriter: Rewrites a turn.
        cfg: Which turns.
    """

    def __init__(self, rewriter: Rewriter, cfg: RewritingConfig):
        self._rewriter = rewriter
        self._cfg = cfg
        self._known: Lru[bytes, str] = Lru(int(cfg.memory_mb * 2**20))

    async def rewrite(self, conversation: Conversation) -> Rewritten:
        """Rewrites the last turn and, where the configuration says so, those before it; these from memory where they are known.

        Raises:
            GuardError: A turn that is too long, or too many that are not known. A rewriter that fails is no error here.
        """
        last = conversation.last
        every = self._cfg.turns is Turns.all
        digests = conversation.digests() if every else {}
        texts: dict[Turn, str] = {}
        new = [last]
        for turn in conversation.turns[:-1] if every else ():
            if (known := self._known.get(digests[turn])) is not None:
                texts[turn] = known
            elif not conversation.empty(turn):
                new.append(turn)
        after = conversation.after(last)
        self._check(conversation, new, len(after))
        began = time.perf_counter()
        rewritings = await self._all(conversation, new)
        seconds = time.perf_counter() - began
        for turn, rewriting in rewritings.items():
            if rewriting.text is not None:
                texts[turn] = rewriting.text
                if every and not (after and turn == last):
                    self._known.put(digests[turn], rewriting.text, 4 * len(rewriting.text) + _ENTRY)
        failures = [r.failure for r in rewritings.values() if r.failure is not None]
        # An outage may open the guard: it must not hide a failure that may not.
        failure = min(failures, key=lambda f: f.code in OUTAGES, default=None)
        return Rewritten(texts, rewritings[last], failure, seconds)

    def _check(self, conversation: Conversation, new: list[Turn], after: int) -> None:
        if len(new) - 1 > self._cfg.new_turns:
            most = f"{self._cfg.new_turns} (rewriting.new_turns)"
            what = f"{len(new) - 1} earlier turns are new to the guard; expected at most {most}"
            raise GuardError(Code.too_many_turns, what, param="messages")
        for turn in new:
            length = len(conversation.text(turn)) + (after if turn == conversation.last else 0)
            if length > self._cfg.prompt_characters:
                what = f"the user turn has, with what stands behind it, {length} characters"
                what = f"{what}; expected at most {self._cfg.prompt_characters}"
                raise GuardError(Code.prompt_too_long, what, param=f"messages[{turn[-1]}].content")

    async def _all(self, conversation: Conversation, turns: list[Turn]) -> dict[Turn, Rewriting]:
        if len(turns) == 1:
            return {turns[0]: await self._rewriter.rewrite(conversation, turns[0])}
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(turn: Turn) -> Rewriting:
            async with slots:
                return await self._rewriter.rewrite(conversation, turn)

        tasks = [asyncio.create_task(one(turn)) for turn in turns]
        try:
            return dict(zip(turns, await asyncio.gather(*tasks), strict=True))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
