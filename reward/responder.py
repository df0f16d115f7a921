"""The responder's reward: every rule component, and those of one's own, composed. Pure and in process."""

from __future__ import annotations

from reward import behaviour, citation, consistency, extra, format, harm, helpfulness, length
from reward.compose import compose
from reward.config import RewardConfig, Truncated
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Component, Item, Response, RewardBreakdown, Status


def score_response(
    item: Item,
    response: Response,
    *,
    tokens: int,
    max_tokens: int,
    truncated: bool,
    cfg: RewardConfig,
    catalogue: Catalogue,
) -> RewardBreakdown:
    """Scores one response. Reads what real data has: expected behaviours, policy rules, harm, reference.

    Args:
        item: The item that was asked.
        response: The parsed response.
        tokens: Tokens sampled.
        max_tokens: The limit on sampled tokens.
        truncated: Whether the limit cut the text off.
        cfg: Weights, composition and gates.
        catalogue: Policies that citations are checked against.
    """
    weights = cfg.weights
    overlong = length.score(
        item,
        response,
        tokens=tokens,
        max_tokens=max_tokens,
        buffer=cfg.overlong_buffer(max_tokens),
        truncated=truncated,
    )
    verdicts = (
        (format, format.score(item, response), 0.0),
        (citation, citation.score(item, response, catalogue), weights.citation),
        (behaviour, behaviour.score(item, response), weights.behaviour),
        (helpfulness, helpfulness.score(item, response), weights.helpfulness),
        (length, overlong, weights.length),
        (consistency, consistency.score(item, response, catalogue), weights.consistency),
        (harm, harm.score(item, response), weights.harm),
    )
    components = [Component(part.NAME, verdict, weight, part.LOW, part.HIGH) for part, verdict, weight in verdicts]
    components += extra.components(cfg, item, response)
    return compose(components, cfg, truncated and cfg.truncated is Truncated.zero)


def status_of(response: Response, breakdown: RewardBreakdown, truncated: bool) -> Status:
    """How the rollout ended: truncated, without a readable answer, without a score, or in order.

    A text that departs from the grammar and has a readable answer is in order: its format gate is closed.
    """
    if truncated:
        return Status.TRUNCATED
    if not response.parsed:
        return Status.PARSE_ERROR
    return Status.OK if breakdown.reward is not None else Status.JUDGE_UNSCORED
