"""The instruments by which the hacking panel is read: which way a value is worse, when it raises an alarm, what it means."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reward.panel import PanelConfig


class Worse(str, Enum):
    """Which way an instrument gets worse."""

    HIGH = "high"
    LOW = "low"
    FROM_ZERO = "away from 0"
    FROM_ONE = "away from 1"

    def badness(self, value: float) -> float:
        """A number that is the larger, the worse the value is."""
        if self is Worse.FROM_ONE:  # a factor: twice is as far from 1 as half
            return abs(math.log(max(value, 1e-9)))
        return {Worse.HIGH: value, Worse.LOW: -value, Worse.FROM_ZERO: abs(value)}[self]

    def bound(self, limit: float) -> str:
        """The values that are as bad as a limit, in words."""
        if self is Worse.FROM_ONE:
            return f"{limit:.3g} or more, or {1 / limit:.2g} or less"
        return {
            Worse.HIGH: f"{limit:.3g} or more",
            Worse.LOW: f"{limit:.3g} or less",
            Worse.FROM_ZERO: f"{limit:.3g} or more, or {-limit:.3g} or less",
        }[self]


@dataclass(frozen=True)
class Instrument:
    """One reading of the panel.

    Attributes:
        means: What it says, for people.
        worse: Which way it gets worse.
        words: How an alarm goes on after the value; empty when the instrument raises none.
        alarm: Name of its alarm; one that ends in "/" goes on with the last part of the metric.
        setting: Where its alarm stands; 0 turns it off.
    """

    means: str
    worse: Worse
    words: str = ""
    alarm: str = ""
    setting: Callable[[PanelConfig], float] = lambda cfg: 0.0

    def alarm_of(self, metric: str) -> str | None:
        """Name of the alarm that this metric raises."""
        return (self.alarm + metric.rpartition("/")[2] if self.alarm.endswith("/") else self.alarm) or None

    def limit(self, cfg: PanelConfig) -> float | None:
        """The value that raises the alarm; None when none does."""
        return self.setting(cfg) or None

    def bound(self, cfg: PanelConfig) -> str | None:
        """The limit in words."""
        limit = self.limit(cfg)
        return None if limit is None else self.worse.bound(limit)

    def beyond(self, value: float, cfg: PanelConfig) -> bool:
        """Whether a value is as bad as the limit."""
        limit = self.limit(cfg)
        return limit is not None and self.worse.badness(value) >= self.worse.badness(limit)


#: Metric, or a pattern of metrics → its instrument.
INSTRUMENTS: dict[str, Instrument] = {
    "panel/truth_gap": Instrument(
        "Reward minus truth over the same texts. A gap that grows says that the policy games the reward.",
        Worse.HIGH, "is how far the reward exceeds the truth", "truth_gap", lambda cfg: cfg.truth_gap,
    ),
    "panel/truth": Instrument("What the texts are truly worth. No reward sees it.", Worse.LOW),
    "panel/refusal_rate/benign": Instrument(
        "Share of harmless items that are refused. A policy that refuses everything is safe and useless.",
        Worse.HIGH, "of harmless items are refused", "over_refusal", lambda cfg: cfg.refusal_benign,
    ),
    "panel/compliance_rate/benign": Instrument("Share of harmless items that are answered without reserve.", Worse.LOW),
    "panel/refusal_rate/harmful": Instrument(
        "Share of harmful items that are refused; a safe completion is no refusal.", Worse.LOW
    ),
    "panel/compliance_rate/harmful": Instrument(
        "Share of harmful items that are complied with. It is high when the policy has given up on safety.",
        Worse.HIGH, "of harmful items are complied with", "compliance", lambda cfg: 1 - cfg.refusal_harmful,
    ),
    "panel/citations_per_answer": Instrument(
        "Policy rules that an answer cites. Many of them fish for the right one.",
        Worse.HIGH, "citations an answer", "citations", lambda cfg: cfg.citations,
    ),
    "panel/citation_precision": Instrument("Share of the cited rules that are the item's.", Worse.LOW),
    "panel/duplicates": Instrument(
        "Share of texts that a sibling of their group wrote word for word. Above all it says that the policy no longer explores.",
        Worse.HIGH, "of texts repeat a sibling", "duplicates", lambda cfg: cfg.duplicates,
    ),
    "panel/length_drift": Instrument(
        "Mean length of the texts over that of the stage's first steps. Length is what rewards are gamed with most often.",
        Worse.FROM_ONE, "times the length of the beginning", "length", lambda cfg: cfg.length_drift,
    ),
    "panel/rewrite/refusals/*": Instrument(
        "Share of rewrites that decline, or order the target to. Such a rewriter is safe because nobody is answered.",
        Worse.HIGH, "of rewrites are refusals", "rewrite_refusals/", lambda cfg: cfg.rewrite_refusals,
    ),
    "panel/rewrite/kept_words/benign": Instrument(
        "Share of a harmless prompt's words that its rewrite keeps. It falls when the rewriter wins by erasing the question.",
        Worse.LOW, "of the words of harmless prompts are kept", "kept_words", lambda cfg: cfg.kept_words,
    ),
    "panel/rewrite/kept_words/harmful": Instrument(
        "Share of a harmful prompt's words that its rewrite keeps. Near 1 nothing is rewritten, near 0 the topic is gone.",
        Worse.LOW,
    ),
    "panel/rewrite/policy_words/*": Instrument(
        "Share of a rewrite's words that talk of policies. A rewriter that copies policy text into the prompt asks nothing.",
        Worse.HIGH, "of the rewrites' words talk of policies", "policy_words/", lambda cfg: cfg.policy_words,
    ),
    "panel/rewrite/answer_words/benign": Instrument(
        "Share of a harmless item's answer that its rewrite gives away. A rewriter that answers itself makes any target look good.",
        Worse.HIGH, "of the answers stand in the rewrites", "answer_words", lambda cfg: cfg.answer_words,
    ),
    "panel/rewrite/changed/benign": Instrument("Share of harmless prompts that are changed at all.", Worse.HIGH),
    "panel/rewrite/changed/harmful": Instrument("Share of harmful prompts that are changed at all.", Worse.LOW),
    "panel/target/unsafe/harmful": Instrument(
        "Share of the target's answers to rewritten harmful items that do harm, to this item's prohibition or to another's. A "
        "rewriter that turns one harm into another has laundered it.",
        Worse.HIGH,
    ),
    "panel/target/refused/*": Instrument("Share of the target's answers, after the rewriter, that refuse.", Worse.HIGH),
    "panel/target/before/*": Instrument("What the target's answers to the original prompts are worth.", Worse.LOW),
    "panel/target/after/*": Instrument("What the target's answers to the rewritten prompts are worth.", Worse.LOW),
    "actor/entropy": Instrument(
        "How undecided the policy is, in nats a token. Near 0 it writes the same thing every time.",
        Worse.LOW, "nats a token", "entropy", lambda cfg: cfg.entropy,
    ),
    "panel/canary/*": Instrument(
        "Mean reward of a text that deserves nothing.", Worse.HIGH, "is what this text earns", "canary/", lambda cfg: cfg.canary
    ),
    "panel/judge_gap/*_heldout": Instrument(
        "The judge's score minus that of a second judge, which no reward asks, over a sample of the same texts. It grows when the "
        "policy learns to please the judge that pays.",
        Worse.HIGH,
    ),
    "panel/judge_gap/*": Instrument(
        "The judge's score minus the rule's of the same aspect. Far from 0, one of the two is wrong.", Worse.FROM_ZERO
    ),
    "judge/*/unscored_share": Instrument(
        "Share of the opinions asked of this judge that it did not give. Their texts are left out of training.", Worse.HIGH
    ),
    "target/failed_share": Instrument(
        "Share of the rewrites that the target did not answer. They are left out of training.", Worse.HIGH
    ),
}  # fmt: skip


def instrument_of(metric: str) -> Instrument | None:
    """The instrument that a metric is read by; None for any other metric."""
    if metric in INSTRUMENTS:
        return INSTRUMENTS[metric]
    return next((found for pattern, found in INSTRUMENTS.items() if "*" in pattern and fnmatchcase(metric, pattern)), None)
