"""What a run may cost at most, before anything is bought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reward.judges.presets import preset
from rl_align.endpoints.config import EndpointConfig
from rl_align.endpoints.sender import estimate as estimated
from rl_align.schema import Item
from rl_align.synthesis.config import AxisConfig, MsrAlignConfig, Prompt, RewriterSynthesisConfig
from rl_align.synthesis.msr_align import MsrAlign
from rl_align.synthesis.proof import HARM
from rl_align.synthesis.rewriter import RewriterSynthesis

#: Tokens of the longest template with every policy in it, generously.
_TEMPLATE = 4000
_IMAGE = {"type": "image_url"}


def estimate(
    cfg: MsrAlignConfig | RewriterSynthesisConfig, axes: Mapping[str, AxisConfig], items: Sequence[Item]
) -> dict[str, dict[str, float]]:
    """Role → `calls_least` (first attempts pass, one question each), `calls_most`, `tokens_most`, `cost_most` (all attempts made).

    Answers already recorded are not taken off. Tokens are estimated, rather high; an image counts as 1,000.
    """
    shown = sum(estimated([{"content": [{"type": "text", "text": i.prompt}, *[_IMAGE] * len(i.images)]}]) for i in items)
    n, tries, written = len(items), cfg.attempts, cfg.generator.max_tokens
    template = _TEMPLATE if cfg.prompt is Prompt.staged else 100
    if isinstance(cfg, MsrAlignConfig):
        stages, questions = len(MsrAlign.generating(cfg)), sum(axis.judge.votes for axis in axes.values())
        least_stages, target = stages, None
    else:
        stages = len(RewriterSynthesis.generating(cfg))
        # Harmless requests skip the analysis; harm is asked about twice.
        harmless = sum(i.harmful is False for i in items)
        least_stages = stages - (stages - 1) * harmless / max(1, n)
        questions = sum(axis.judge.votes * (1 + (name in HARM)) for name, axis in axes.items())
        target = cfg.target
    asked = max((axis.judge.max_tokens for axis in axes.values()), default=0)
    told = {
        "generator": _role(
            cfg.generator.endpoint, n * least_stages, n, stages * tries, shown, template + written * stages, written
        ),
        "judge": _role(cfg.judge, n, n, questions * tries, shown, _TEMPLATE + written, asked),
    }
    if target is not None:
        # The plain answer, the reminded one, and one to each rewrite.
        told["target"] = _role(target.endpoint, n, n, 2 + tries, shown, written, target.max_tokens)
    return told


def described(told: Mapping[str, Mapping[str, float]], axes: Mapping[str, AxisConfig]) -> list[str]:
    """The estimate for people, a line a role."""
    lines = [
        f"{role}: {part['calls_least']:,.0f} to {part['calls_most']:,.0f} calls, at most {part['tokens_most']:,.0f} tokens"
        + (f", at most {part['cost_most']:,.2f} in its currency" if part["cost_most"] else " (no prices set, so no cost)")
        for role, part in told.items()
    ]
    passing = (f"{name} ≥ {axis.least} of {'/'.join(preset(name).labels)}" for name, axis in axes.items())
    return [*lines, f"kept when: {'; '.join(passing)}"]


def _role(endpoint: EndpointConfig, least: float, items: int, each: int, shown: int, beside: int, written: int) -> dict[str, float]:
    """One role's numbers: `each` calls an item at most, which show it, `beside` tokens more, and write `written`."""
    prompt, completion = each * (shown + items * beside), each * items * written
    cost = (prompt * endpoint.price_prompt + completion * endpoint.price_completion) / 1e6
    return {"calls_least": least, "calls_most": each * items, "tokens_most": prompt + completion, "cost_most": cost}
