"""Asks the evaluation's judge about answers, through the same prompts, fences, votes and cache as the judges of rewards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from reward.judges.hardening import Hardening
from reward.judges.judge import judge
from reward.judges.types import JudgeVerdict, Opinion
from rl_align.endpoints.client import Endpoint
from rl_align.eval.judge import EvalJudge
from rl_align.eval.presets import preset
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Item, Response

#: Why a judgement is missing where nobody can be asked.
NO_JUDGE = "no_judge"


class Desk:
    """Where judgements are asked for. One endpoint for all samples; it is closed whenever nobody uses it.

    Args:
        settings: The judge; None for none, and every judgement is then unscored.

    Raises:
        UserError: A key that is not in the environment, or the key of fences is unusable.
    """

    def __init__(self, settings: EvalJudge | None):
        self.settings = settings
        self._users = 0
        self._closing: asyncio.Future[None] | None = None
        if settings is not None:
            self._endpoint = Endpoint(settings.endpoint, "judge")
            self._hardening = Hardening.of(settings.judge)
            self._catalogue = Catalogue.load()

    async def ask(self, names: Sequence[str], item: Item, answer: str) -> dict[str, dict[str, Any]]:
        """Preset → its judgement: label, score, reason, votes, prompt; or unscored (why) and detail.

        Args:
            names: Presets.
            item: What was asked, as the judge may know it.
            answer: The judged text.
        """
        if self.settings is None:
            return {name: {"unscored": NO_JUDGE, "detail": "no judge is configured"} for name in names}
        await self._enter()
        try:
            opinions = await asyncio.gather(*(self._one(name, item, answer) for name in names))
        finally:
            await self._leave()
        return dict(zip(names, opinions, strict=True))

    async def _one(self, name: str, item: Item, answer: str) -> dict[str, Any]:
        assert self.settings is not None
        question, cfg = preset(name), self.settings.judge
        shown = Response(answer, answer=answer)
        opinion = await judge(question, item, shown, self._endpoint, cfg, catalogue=self._catalogue, hardening=self._hardening)
        return {**_plain(opinion), "prompt": question.version(cfg)}

    async def _enter(self) -> None:
        while self._closing is not None:
            await asyncio.shield(self._closing)
        self._users += 1

    async def _leave(self) -> None:
        self._users -= 1
        if self._users:
            return
        self._closing = asyncio.get_running_loop().create_future()
        try:
            await self._endpoint.aclose()
        finally:
            self._closing.set_result(None)
            self._closing = None


def _plain(opinion: Opinion) -> dict[str, Any]:
    if isinstance(opinion, JudgeVerdict):
        return {"label": opinion.label, "score": opinion.score, "reason": opinion.reason, "votes": list(opinion.votes)}
    return {"unscored": opinion.reason, "detail": opinion.detail}
