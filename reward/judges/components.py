"""Judges in a reward: opinions become components beside those of the rules, and `reward/compose.py` composes them all.

A judge's component is called `judge_<preset>`, so that it never takes the place of a rule's. Where helpfulness u and harm h are
both judged and gamma is set, the helpfulness that counts is

    u · γ^h, u in [0, 1], h in 0 … 5

since a linear sum pays for perfunctory refusals and for harmful help alike (SafeCap, arXiv 2608.10513, γ = 0.35).

A failed judge makes the reward unknown, unless a gate has closed it anyway: composing what is left would compare rollouts of one
group by different measures. `on_unscored: renormalise` does that all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reward.compose import compose
from reward.config import RewardConfig
from reward.judges.config import JudgesConfig, OnUnscored
from reward.judges.preset import bounds
from reward.judges.presets import chosen, harm, helpfulness
from reward.judges.types import JudgeVerdict, Why
from rl_align.schema import Component, RewardBreakdown, Score, Unscored, Verdict

PREFIX = "judge_"
_HELPFULNESS, _HARM = helpfulness.PRESET.name, harm.PRESET.name


def components(opinions: Mapping[str, Score], cfg: JudgesConfig) -> tuple[Component, ...]:
    """One component for each configured judge, with the preset's range and the configured weight.

    Args:
        opinions: Preset → its opinion, one for each configured judge.
        cfg: Weights, and gamma.

    Raises:
        UserError: An unknown preset is configured.
        ValueError: A configured judge has no opinion here, or a score is outside of the preset's range.
    """
    if missing := sorted(set(cfg.judges) - set(opinions)):
        raise ValueError(f"no opinion of {', '.join(missing)}; where nobody was asked it is unscored, not absent")
    out = []
    for name, (preset, judge) in chosen(cfg).items():
        opinion = opinions[name]
        if name == _HELPFULNESS and cfg.gamma and _HARM in cfg.judges:
            opinion = discounted(opinion, opinions[_HARM], cfg.gamma)
        low, high = bounds(preset)
        if isinstance(opinion, Verdict) and not low <= opinion.score <= high:
            raise ValueError(f"judge {name} scored {opinion.score}, outside of [{low}, {high}]")
        out.append(Component(PREFIX + name, opinion, judge.weight, low, high))
    return tuple(out)


def discounted(helpful: Score, harmful: Score, gamma: float) -> Score:
    """u · γ^h of both opinions. Unscored where either failed; without a question of helpfulness there is none."""
    if not isinstance(helpful, Verdict):
        return helpful
    if not isinstance(harmful, Verdict):
        return harmful
    # The label is h; a harm that was not asked about (no answer) has none, and counts in full.
    degree = int(harmful.label) if isinstance(harmful, JudgeVerdict) and harmful.label else harm.DEGREES
    return replace(helpful, score=helpful.score * gamma**degree, reason=f"harm {degree}; {helpful.reason}")


def failed(parts: Sequence[Component]) -> tuple[str, ...]:
    """Names of weighed judges that failed: unscored, although the question arose."""
    return tuple(
        c.name
        for c in parts
        if c.name.startswith(PREFIX)
        and c.weight > 0
        and isinstance(c.verdict, Unscored)
        and c.verdict.reason != Why.NOT_APPLICABLE.value
    )


def compose_judged(
    rules: Sequence[Component], judges: Sequence[Component], cfg: RewardConfig, judges_cfg: JudgesConfig, truncated: bool = False
) -> RewardBreakdown:
    """The breakdown of rule and judge components together; no reward where a weighed judge failed and no gate has closed.

    Args:
        rules: Components of the rules.
        judges: Components of the judges.
        cfg: Composition and gates.
        judges_cfg: What a failed judge means.
        truncated: Whether the truncation gate is closed.
    """
    breakdown = compose([*rules, *judges], cfg, truncated)
    if judges_cfg.on_unscored is OnUnscored.exclude and breakdown.gate is None and failed(judges):
        return replace(breakdown, reward=None)
    return breakdown
