"""The rewriter's scorer, inside the agent loop: a frozen target answers the rewrite, and the answer decides what it is worth."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from rl_align.schema import Item, Response, Rewrite, Status

from .scoring import Scored, Scorer, shown


def rewriter(settings: Mapping[str, Any]) -> Scorer:
    """Rule rewards of the rewriter.

    The target answers the original prompt once (the endpoint keeps the answer) and every rewrite that no gate has closed. A target
    that fails to answer is a status, never a reward.

    Args:
        settings: `reward` (a RewriterRewardConfig as a mapping), `target` (a TargetConfig), `endpoint` (an EndpointConfig) and
            `max_response_tokens`.

    Raises:
        UserError: A setting that cannot work, or a key that is not in the environment.
    """
    from omegaconf import OmegaConf

    from reward.rewriter import RewriterRewardConfig, score_rewrite
    from rl_align.endpoints.client import Endpoint
    from rl_align.endpoints.config import EndpointConfig
    from rl_align.policy.catalogue import Catalogue
    from rl_align.transcript.rewriter import parse_rewrite

    from .config import TargetConfig

    def read(cls: type, values: Mapping[str, Any]) -> Any:
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cls), values))

    config, catalogue = read(RewriterRewardConfig, settings["reward"]), Catalogue.load()
    endpoint = Endpoint(read(EndpointConfig, settings["endpoint"]), "target_endpoint")
    target = Target(endpoint, read(TargetConfig, settings["target"]), catalogue)
    limit = settings["max_response_tokens"]

    async def score(row: Mapping[str, Any], text: str, tokens: int, truncated: bool) -> Scored:
        item, rewrite = shown(row), parse_rewrite(text, catalogue)
        known = {"tokens": tokens, "max_tokens": limit, "truncated": truncated, "cfg": config, "catalogue": catalogue}
        closed = score_rewrite(item, rewrite, [], [], **known)
        if closed.gate or not rewrite.rewrite:
            status = Status.TRUNCATED if truncated else Status.PARSE_ERROR
            return Scored(closed.reward, closed.scores(), status, closed.gate, facts_of(item, rewrite, [], []))
        before, after = await asyncio.gather(target.answers(item, item.prompt), target.answers(item, rewrite.rewrite))
        breakdown = score_rewrite(item, rewrite, before, after, **known)
        facts = facts_of(item, rewrite, before, after)
        if not any(before) or not any(after):
            return Scored(None, breakdown.scores(), Status.PARTNER_ERROR, None, facts)
        status = Status.TRUNCATED if truncated else Status.OK
        return Scored(breakdown.reward, breakdown.scores(), status, breakdown.gate, facts)

    return score


class Target:
    """A frozen model behind an endpoint.

    Args:
        completer: The endpoint.
        config: How it is asked.
        catalogue: Policies that its answers may cite.
    """

    def __init__(self, completer: Any, config: Any, catalogue: Any):
        self._completer, self._config, self._catalogue = completer, config, catalogue

    async def answers(self, item: Item, prompt: str) -> list[Response | None]:
        """`samples` answers to the item's pictures and a prompt, which is untrusted; None for each that failed."""
        from rl_align.transcript.neutralise import neutralise

        parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": image.read()}} for image in item.images]
        parts.append({"type": "text", "text": neutralise(prompt, self._config.special_tokens)})
        system = [{"role": "system", "content": self._config.system}] if self._config.system else []
        messages = [*system, {"role": "user", "content": parts}]
        return list(await asyncio.gather(*(self._answer(messages, k) for k in range(self._config.samples))))

    async def _answer(self, messages: Sequence[Mapping[str, Any]], sample: int) -> Response | None:
        from rl_align.endpoints.types import EndpointError, Sampling
        from rl_align.transcript.responder import parse_answer

        c = self._config
        sampling = Sampling(c.temperature, c.top_p, c.max_tokens, c.seed if c.temperature else None)
        try:
            completion = await self._completer.complete(messages, sampling, version="target", sample=sample)
        except EndpointError:
            return None
        return parse_answer(completion.text, self._catalogue)


def facts_of(
    item: Item, rewrite: Rewrite, before: Sequence[Response | None], after: Sequence[Response | None]
) -> dict[str, Any]:
    """What the hacking panel reads of a rewrite."""
    from reward import template
    from reward.improvement import outcome
    from reward.unsafe import unsafe
    from reward.words import content
    from rl_align.schema import Behaviour, Verdict

    declined = template.score(item, rewrite)
    answers = [r for r in after if r is not None]
    words, asked = content(rewrite.rewrite or ""), content(item.prompt)
    return {
        "harmful": item.harmful,
        "rewrite": {
            "refusal": isinstance(declined, Verdict) and declined.score < 0,
            "kept_words": sum((words & asked).values()) / max(1, asked.total()),
            "policy_words": sum(n for w, n in words.items() if "_" in w or w in ("policy", "rule")) / max(1, words.total()),
            "changed": (rewrite.rewrite or "").strip() != item.prompt.strip(),
            "before": outcome(item, before),
            "after": outcome(item, after, rewritten=True),
            "unsafe": sum(unsafe(item, r, rewritten=True) for r in answers) / len(answers) if answers else None,
            "refused": sum(r.behaviour is Behaviour.REFUSE for r in answers) / len(answers) if answers else None,
        },
    }
