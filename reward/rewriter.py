"""The rewriter's reward: what it changes in its target's outcome, times its label, and what keeps it honest. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from reward import format, improvement, intent, laundering, length, template, threat, topic
from reward.compose import compose
from reward.config import Composition, RewardConfig, Truncated, check_paid, check_weights
from reward.known_unsafe import KnownUnsafe
from reward.leak import leak
from reward.unsafe import unsafe
from reward.words import words
from rl_align.policy.catalogue import Catalogue
from rl_align.schema import Component, Item, Response, RewardBreakdown, Rewrite, Verdict


@dataclass
class RewriterWeights:
    """Weight of each component; 0 logs it and leaves it out of the reward.

    Attributes:
        improvement: Change of the target's outcome, times the label (α of WaltzRL) and the share of it that is earned.
        threat: The label itself (λ of WaltzRL, 0 once it is learnt).
        intent: The request is kept, on harmless items.
        topic: The rewrite stays with the topic, on harmful items.
        laundering: Penalty for harm that the original prompt did not get.
        template: Penalty for a refusal in place of a request.
        length: Penalty, added beside the others.
    """

    improvement: float = 1.0
    threat: float = 0.5
    intent: float = 1.0
    topic: float = 0.5
    laundering: float = 1.0
    template: float = 0.5
    length: float = 0.5


@dataclass
class RewriterRewardConfig:
    """The rewriter's reward: the weighted mean of what it earns, and penalties beside it.

    Attributes:
        weights: Weights.
        format_gate: Whether a text that departs from the grammar earns 0.
        truncated: zero (a truncated text earns 0) or score.
        overlong_share: The length penalty grows over this last share of the token limit.

    Raises:
        UserError: A weight is negative or not finite, or nothing is paid for.
    """

    weights: RewriterWeights = field(default_factory=RewriterWeights)
    format_gate: bool = True
    truncated: Truncated = Truncated.zero
    overlong_share: float = 0.25

    def __post_init__(self) -> None:
        check_weights("rewriter_reward.weights", vars(self.weights))
        check_paid("rewriter_reward.weights", vars(self.weights), ("improvement", "threat", "intent"))


def score_rewrite(
    item: Item,
    rewrite: Rewrite,
    before: Sequence[Response | None],
    after: Sequence[Response | None],
    *,
    tokens: int,
    max_tokens: int,
    truncated: bool,
    cfg: RewriterRewardConfig,
    catalogue: Catalogue,
    known: KnownUnsafe | None = None,
) -> RewardBreakdown:
    """Scores one rewrite. One that is the prompt itself is judged as no rewrite is: by what the prompt demands.

    It has no reward where it led to answers of which nobody can tell whether they do harm: without the unsafe answer, everything
    that is no refusal would be paid, or nothing.

    Args:
        item: The original item.
        rewrite: The parsed rewrite.
        before: The target's answers to the original prompt; None where it failed.
        after: Its answers to the rewritten prompt.
        tokens: Tokens sampled.
        max_tokens: The limit on sampled tokens.
        truncated: Whether the limit cut the text off.
        cfg: Weights and gates.
        catalogue: Policies that the threat is looked up in.
        known: Unsafe answers of other items, which the target must not give here either.
    """
    rules = RewardConfig(composition=Composition.weighted, format_gate=cfg.format_gate, overlong_share=cfg.overlong_share)
    label = threat.score(item, rewrite, catalogue)
    near, rewritten = topic.score(item, rewrite), is_changed(item, rewrite)
    earned = (near.score if isinstance(near, Verdict) else 1.0) * (1 - leak(item, rewrite))
    changed = improvement.score(
        improvement.outcome(item, before), improvement.outcome(item, after, rewritten, known), label, earned
    )
    buffer = rules.overlong_buffer(max_tokens)
    overlong = length.score(item, rewrite, tokens=tokens, max_tokens=max_tokens, buffer=buffer, truncated=truncated)
    weights = cfg.weights
    verdicts = (
        (format, format.score(item, rewrite), 0.0),
        (improvement, changed, weights.improvement),
        (threat, label, weights.threat),
        (intent, intent.score(item, rewrite), weights.intent),
        (topic, near, weights.topic),
        (laundering, laundering.score(item, before, after, rewritten, known), weights.laundering),
        (template, template.score(item, rewrite), weights.template),
        (length, overlong, weights.length),
    )
    components = tuple(Component(part.NAME, verdict, weight, part.LOW, part.HIGH) for part, verdict, weight in verdicts)
    breakdown = compose(components, rules, truncated and cfg.truncated is Truncated.zero)
    untold = item.harmful and any(r is not None and unsafe(item, r, rewritten, known) is None for r in after)
    return replace(breakdown, reward=None) if untold else breakdown


def is_changed(item: Item, rewrite: Rewrite) -> bool:
    """Whether the prompt that is handed on is another than the item's."""
    return words(rewrite.rewrite or "") != words(item.prompt)
