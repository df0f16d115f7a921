"""What texts of a two-hop episode are worth, where one policy sits in both seats: rewrites, and answers with and without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rl_align.schema import Response, Status

from .rewriting import facts_of as facts_of_rewrite
from .rewriting import known_unsafe
from .scoring import Scored, facts_of, shown

#: Gate of a rewrite that cannot be handed on: the responder's prompt would be too long.
TOO_LONG = "too_long"


class EpisodeScorer:
    """Rule rewards of both seats.

    The rewrite's outcome is that of the policy's own answers: to the original prompt before, to the rewritten one after.

    Args:
        settings: `reward` (a RewardConfig as a mapping), `rewriter_reward` (a RewriterRewardConfig), `max_response_tokens`, and
            `items`, the file that unsafe answers are read from.
    """

    def __init__(self, settings: Mapping[str, Any]):
        from omegaconf import OmegaConf

        from reward.config import RewardConfig
        from reward.rewriter import RewriterRewardConfig
        from rl_align.policy.catalogue import Catalogue

        def read(cls: type, values: Mapping[str, Any]) -> Any:
            return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cls), values))

        self._reward = read(RewardConfig, settings["reward"])
        self._rewriter = read(RewriterRewardConfig, settings["rewriter_reward"])
        self._limit, self._catalogue = settings["max_response_tokens"], Catalogue.load()
        self._known = known_unsafe(settings)

    def __call__(self, row: Mapping[str, Any], text: str, tokens: int, truncated: bool) -> Scored:
        """An answer to the original prompt; this is what the canaries are scored by."""
        return self.response(row, text, tokens, truncated)[0]

    def response(
        self, row: Mapping[str, Any], text: str, tokens: int, truncated: bool, prompt: str | None = None
    ) -> tuple[Scored, Response]:
        """An answer, and what was read out of it.

        Args:
            row: The data row.
            text: The answer.
            tokens: Tokens sampled.
            truncated: Whether the limit cut it off.
            prompt: The rewritten prompt that it answers; None where it answers the item's own.
        """
        from reward.outcome import as_rewritten
        from reward.responder import score_response, status_of
        from rl_align.transcript.responder import parse_response

        item = shown(row)
        response = parse_response(text, self._catalogue, prompt=item.prompt if prompt is None else prompt)
        breakdown = score_response(
            item if prompt is None else as_rewritten(item, prompt),
            response,
            tokens=tokens,
            max_tokens=self._limit,
            truncated=truncated,
            cfg=self._reward,
            catalogue=self._catalogue,
        )
        # Answers behind the rewriter are the rewriter's affair in the panel; refusal rates are those without it.
        facts = facts_of(item, response) if prompt is None else {}
        status = status_of(response, breakdown, truncated)
        return Scored(breakdown.reward, breakdown.scores(), status, breakdown.gate, facts), response

    def rewrite(
        self,
        row: Mapping[str, Any],
        text: str,
        tokens: int,
        truncated: bool,
        before: Sequence[Response],
        after: Sequence[Response],
        too_long: bool = False,
    ) -> Scored:
        """A rewrite, by the answers before and after it.

        Args:
            row: The data row.
            text: The rewriter's text.
            tokens: Tokens sampled.
            truncated: Whether the limit cut it off.
            before: Answers to the original prompt.
            after: Answers to the rewritten one; empty when there is none to hand on.
            too_long: Whether the rewrite leaves no room in the responder's prompt.
        """
        from reward.rewriter import score_rewrite
        from rl_align.transcript.rewriter import parse_rewrite

        item, rewrite = shown(row), parse_rewrite(text, self._catalogue)
        breakdown = score_rewrite(
            item, rewrite, before, after, tokens=tokens, max_tokens=self._limit, truncated=truncated, cfg=self._rewriter,
            catalogue=self._catalogue, known=self._known,
        )  # fmt: skip
        facts = facts_of_rewrite(item, rewrite, before, after, self._known)
        if too_long:
            return Scored(0.0, breakdown.scores(), Status.PARSE_ERROR, TOO_LONG, facts)
        if breakdown.reward is None:
            return Scored(None, breakdown.scores(), Status.JUDGE_UNSCORED, None, facts)
        status = Status.TRUNCATED if truncated else Status.OK if rewrite.rewrite else Status.PARSE_ERROR
        return Scored(breakdown.reward, breakdown.scores(), status, breakdown.gate, facts)


def scorer(settings: Mapping[str, Any]) -> EpisodeScorer:
    """The factory that `scoring.load` calls."""
    return EpisodeScorer(settings)
