"""Composes components into one reward.

Over the scored components with weight w above 0, split by their declared range into earnings (high > 0) and penalties;
harm h, on a scale from 0 to 5, is the rule component of that name (a judge's is `judge_harm` and earns as any other):

    weighted:       mean = Σ w·s / Σ w over scored earnings
    gated:          the same, and 0 when the behaviour is scored 0 (a wrong act is not made up for by right words; the
                    linear sum rewards perfunctory refusals, as SafeCap, arXiv 2608.10513, reports)
    multiplicative: mean · γ^(w·h), SafeCap's u·γ^h: harm takes most of what usefulness earns, and no amount of
                    usefulness buys it back
    reward        = max(0, gate · mean + w·s of consistency) + Σ w·s over other scored penalties (- w·h/5 unless multiplicative)

The format gate multiplies by 0 or 1, as in SafeGRPO (arXiv 2511.12982); penalties stay outside it, as DAPO's overlong
term does (arXiv 2503.14476). Consistency takes no more than was earned: a text that cannot be read has none, and would be a harbour
for one that contradicts itself. Unscored components are left out and the weights renormalised: never a 0. With no scored
earnings and open gates there is no reward; nor is there under `multiplicative` when harm is asked for and unscored,
because without its factor the reward would be that of a harmless text.
"""

from __future__ import annotations

from collections.abc import Sequence

from reward import behaviour, consistency, format, harm
from reward.config import Composition, RewardConfig
from rl_align.schema import Component, RewardBreakdown, Verdict

TRUNCATED_GATE = "truncated"


def compose(components: Sequence[Component], cfg: RewardConfig, truncated: bool = False) -> RewardBreakdown:
    """The breakdown of these components.

    Args:
        components: Verdicts with weights and ranges. The one named "format" is a gate; its weight is not read.
        cfg: Composition and gates.
        truncated: Whether the truncation gate is closed.
    """
    scored = {c.name: c for c in components if isinstance(c.verdict, Verdict)}
    weighed = [c for name, c in scored.items() if name not in (format.NAME, harm.NAME) and c.weight > 0]
    earning = [c for c in weighed if c.high > 0]
    penalties = [c for c in weighed if c.high <= 0]
    penalty = sum(c.weight * c.verdict.score for c in penalties if c.name != consistency.NAME)
    against = sum(c.weight * c.verdict.score for c in penalties if c.name == consistency.NAME)
    factor = 1.0
    for harmed in (c for c in components if c.name == harm.NAME and c.weight > 0):
        if not isinstance(harmed.verdict, Verdict):
            factor = None if multiplies(cfg) else factor
        elif multiplies(cfg):
            factor = cfg.harm_decay ** (harmed.weight * harmed.verdict.score)
        else:
            penalty -= harmed.weight * harmed.verdict.score / harmed.high
    gate = _closed(scored, cfg, truncated)
    if gate:
        return RewardBreakdown(tuple(components), penalty, gate)
    if not earning or factor is None:
        return RewardBreakdown(tuple(components), None)
    mean = sum(c.weight * c.verdict.score for c in earning) / sum(c.weight for c in earning)
    return RewardBreakdown(tuple(components), max(0.0, mean * factor + against) + penalty)


def multiplies(cfg: RewardConfig) -> bool:
    """Whether harm is a factor."""
    return cfg.composition is Composition.multiplicative


def _closed(scored: dict[str, Component], cfg: RewardConfig, truncated: bool) -> str | None:
    if truncated:
        return TRUNCATED_GATE
    if cfg.format_gate and format.NAME in scored and scored[format.NAME].verdict.score <= 0:
        return format.NAME
    shown = scored.get(behaviour.NAME)
    if cfg.composition is Composition.gated and shown and shown.weight > 0 and shown.verdict.score <= 0:
        return behaviour.NAME
    return None
