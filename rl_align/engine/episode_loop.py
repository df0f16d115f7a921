"""Two hops of one policy: it answers the prompt, rewrites it, and answers each rewrite; every text is trained.

Rows of a prompt, in the order of their session: `originals` answers to the prompt itself; then for each of the rewrites the
rewrite and `answers` answers to it. Who competes with whom is in `reward/credit.py`: answers to the prompt with each other,
rewrites with each other, answers to one rewrite with each other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from verl.experimental.agent_loop.agent_loop import register

from rl_align.schema import Response, Seat
from rl_align.transcript.neutralise import neutralise
from rl_align.transcript.prompts import REWRITER_SYSTEM
from rl_align.transcript.rewriter import parse_rewrite

from .agent_loops import Prompt, ResponderLoop, Sample, Text
from .episodes import EpisodeScorer
from .scoring import Scored


@register("episode")
class EpisodeLoop(ResponderLoop):
    """One policy in both seats. Rows carry the responder's messages; the rewriter's differ in the system message only."""

    hands_on = True
    # Set by the worker:
    originals: int = 4
    answers: int = 2

    async def run_group(self, server: Any, sampling_params: dict[str, Any], n: int, row: dict[str, Any]) -> list[Text]:
        """Samples and scores the texts of one prompt, at most `n`; a rewrite that cannot be handed on has no answers."""
        messages = list(row["raw_prompt"])
        rewrites = (n - self.originals) // (1 + self.answers)
        asked, rewriting = await asyncio.gather(self.prepare(messages), self.prepare(_as_rewriter(messages)))
        answering = asyncio.ensure_future(self._answers(server, sampling_params, row, asked))

        async def episode(index: int, sample: Sample) -> list[Text]:
            return await self._episode(server, sampling_params, row, rewriting, sample, self.originals + index, answering)

        try:
            request = self.request(sampling_params, row, 1)
            episodes = await self.each(server, request, rewrites, rewriting, episode)
            texts = (await answering)[0] + [text for texts in episodes for text in texts]
        finally:
            answering.cancel()  # does nothing to what has ended
        if texts and self.canaries_every and row["global_steps"] % self.canaries_every == 0:
            texts[0].output.extra_fields["rl"]["canaries"] = await self._score_canaries(row)
        return texts

    async def _answers(
        self, server: Any, sampling_params: dict[str, Any], row: dict[str, Any], asked: Prompt
    ) -> tuple[list[Text], list[Response]]:
        """The answers to the prompt itself, scored, and what was read out of them."""
        scorer: EpisodeScorer = self.scorer  # type: ignore[assignment]
        texts, responses = [], []
        for session, sample in enumerate(await self.sample(server, self.request(sampling_params, row), self.originals, asked)):
            (told, response), cost = _timed(scorer.response, row, sample.text, len(sample.tokens), sample.truncated)
            texts.append(Text(asked, self.output(row, asked, sample, Seat.RESPONDER, told, cost), session))
            responses.append(response)
        return texts, responses

    async def _episode(
        self,
        server: Any,
        sampling_params: dict[str, Any],
        row: dict[str, Any],
        rewriting: Prompt,
        sample: Sample,
        session: int,
        answering: Awaitable[tuple[list[Text], list[Response]]],
    ) -> list[Text]:
        """A rewrite and the answers to it; its worth needs the answers to the prompt itself."""
        scorer: EpisodeScorer = self.scorer  # type: ignore[assignment]
        rewrite = None if sample.truncated else parse_rewrite(sample.text).rewrite
        answers: list[tuple[Sample, tuple[Scored, Response], float]] = []
        too_long = False
        if rewrite:
            words = neutralise(rewrite, self.tokenizer.get_added_vocab())
            prompt = await self.prepare(_with_text(list(row["raw_prompt"]), words))
            too_long = len(prompt.ids) > self.rollout_config.prompt_length
            if not too_long:
                for given in await self.sample(server, self.request(sampling_params, row, 2 + session), self.answers, prompt):
                    told, cost = _timed(scorer.response, row, given.text, len(given.tokens), given.truncated, rewrite)
                    answers.append((given, told, cost))
        after = [response for _, (_, response), _ in answers]
        _, before = await answering
        told, cost = _timed(scorer.rewrite, row, sample.text, len(sample.tokens), sample.truncated, before, after, too_long)
        texts = [Text(rewriting, self.output(row, rewriting, sample, Seat.REWRITER, told, cost), session)]
        for index, (given, (worth, _), seconds) in enumerate(answers, start=1):
            output = self.output(row, prompt, given, Seat.RESPONDER, worth, seconds)
            output.extra_fields["rl"]["prompt"] = rewrite
            texts.append(Text(prompt, output, session, index))
        return texts


def _as_rewriter(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"role": "system", "content": REWRITER_SYSTEM}, *(dict(m) for m in messages if m["role"] != "system")]


def _with_text(messages: Sequence[Mapping[str, Any]], text: str) -> list[dict[str, Any]]:
    """The messages with other words in the last one; its pictures stay."""
    last = messages[-1]["content"]
    pictures = [] if isinstance(last, str) else [part for part in last if part.get("type") != "text"]
    return [*(dict(m) for m in messages[:-1]), {"role": "user", "content": [*pictures, {"type": "text", "text": text}]}]


def _timed(call: Any, *args: Any) -> tuple[Any, float]:
    begun = time.perf_counter()
    return call(*args), time.perf_counter() - begun
