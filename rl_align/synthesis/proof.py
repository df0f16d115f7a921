"""Whether a rewrite does what it is for: a target answers with and without it, and rules, then judges, compare the two."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from reward.judges.types import JudgeVerdict
from reward.unsafe import unsafe
from rl_align.endpoints.types import Sampling
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Behaviour, Item, Response, Rewrite
from rl_align.synthesis import axes as judging
from rl_align.synthesis.axes import Axes
from rl_align.synthesis.config import RewriterSynthesisConfig
from rl_align.synthesis.partner import Partner, said
from rl_align.synthesis.templates import Chat, Templates, bare
from rl_align.synthesis.types import Fell, Trial
from rl_align.transcript.responder import parse_answer

HINDSIGHT, TARGET = "hindsight", "target"
#: Presets that grade the harm of an answer: asked about both.
HARM = ("harm", "llama_guard", "guardreasoner")
#: The preset that compares the two prompts.
INTENT = "intent"
#: The target's draw is the same in all attempts: what changes between them is the rewrite.
_ONCE = 1


class Proof:
    """Asks the target and the judge.

    Args:
        cfg: Settings.
        target: The model that answers.
        axes: The judge's questions.
        templates: For the reminder behind a safe answer.
        catalogue: Policies that answers may cite.
    """

    def __init__(self, cfg: RewriterSynthesisConfig, target: Partner, axes: Axes, templates: Templates, catalogue: Catalogue):
        self._cfg, self._target, self._axes, self._templates, self._catalogue = cfg, target, axes, templates, catalogue
        t = cfg.target
        self._sampling = Sampling(t.temperature, t.top_p, t.max_tokens, cfg.seed + t.seed)

    async def unsafe(self, item: Item, trial: Trial) -> str:
        """The unsafe answer of hindsight: the item's rejected one, else what the target says. Raises as `said` does."""
        return item.rejected or await self._answer(item, trial, "unsafe", bare(item, item.prompt, self._cfg.target, HINDSIGHT))

    async def safe(self, item: Item, trial: Trial) -> str:
        """The safe answer of hindsight: the item's reference, else what the target says when it is reminded."""
        return item.reference or await self._answer(item, trial, "safe", self._templates.reminder(item, self._cfg.target))

    async def prove(self, item: Item, rewrite: Rewrite, trial: Trial) -> dict[str, str]:
        """What the judge said of a rewrite that passed (axis → label). Raises Fell, PartnerFailed, Stopped."""
        before, after = await asyncio.gather(
            self._response(item, item.prompt, trial), self._response(item, rewrite.rewrite or "", trial)
        )
        self._compare(item, before, after)
        scores: dict[str, str] = {}
        for name in self._axes.presets:
            opinion = await self._judge(name, item, rewrite, before, after, trial)
            if opinion is not None:
                scores[name] = opinion.label
        if not scores:
            raise Fell(judging.STAGE, "no_question", "no configured axis has a question about this item")
        return scores

    def _compare(self, item: Item, before: Response, after: Response) -> None:
        """Raises Fell for what rules see, before the judge is paid."""
        if after.answer is None:
            raise Fell(TARGET, "unreadable_answer", ", ".join(after.problems))
        if unsafe(item, after, rewritten=True):
            raise Fell(TARGET, "unsafe_answer" if unsafe(item, before) else "laundered", after.answer)
        if after.behaviour is Behaviour.REFUSE:
            raise Fell(TARGET, "refused", after.answer)

    async def _judge(
        self, name: str, item: Item, rewrite: Rewrite, before: Response, after: Response, trial: Trial
    ) -> JudgeVerdict | None:
        if name in HARM:
            return await self._harm(name, item, before, after, trial)
        if name == INTENT:
            opinion = await self._axes.ask(name, item, rewrite, trial)
        else:
            opinion = await self._axes.ask(name, _legitimate(item, rewrite), after, trial)
        if opinion is not None:
            self._axes.require(name, opinion)
        return opinion

    async def _harm(self, name: str, item: Item, before: Response, after: Response, trial: Trial) -> JudgeVerdict | None:
        """Harm after the rewrite, which must pass, and be less than before where it could be."""
        if item.harmful is False:
            return None
        now = await self._axes.ask(name, item, after, trial)
        if now is None:
            return None
        self._axes.require(name, now)
        then = await self._axes.ask(name, item, before, trial)
        if then is not None and (now.score < then.score or (self._cfg.safer and now.score == then.score)):
            raise Fell(judging.STAGE, f"{name}_not_safer", f"{then.label} before, {now.label} after: {now.reason}")
        return now

    async def _response(self, item: Item, prompt: str, trial: Trial) -> Response:
        chat = bare(item, prompt, self._cfg.target, TARGET)
        return parse_answer(await self._answer(item, trial, TARGET, chat), self._catalogue, prompt)

    async def _answer(self, item: Item, trial: Trial, stage: str, chat: Chat) -> str:
        longest = self._cfg.max_answer_chars
        try:
            return await said(self._target, item.id, _ONCE, stage, chat, self._sampling, "bare", longest)
        except Fell as fell:
            raise Fell(TARGET if stage == TARGET else HINDSIGHT, f"target_{fell.fall.reason}", fell.fall.detail) from None


def _legitimate(item: Item, rewrite: Rewrite) -> Item:
    """The rewritten request as an item of its own. Of a harmless one what was known still holds."""
    asked = replace(item, prompt=rewrite.rewrite or "")
    if item.harmful is False:
        return asked
    expected = (Behaviour.COMPLY, Behaviour.SAFE_COMPLETE)
    return replace(asked, expected=expected, harmful=False, citations=(), reference=None, rejected=None)
