"""Rule and judge rewards together, inside the agent loop: the rules first, then the judges, all siblings side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from rl_align.schema import Item, Response, RewardBreakdown, Score, Verdict

from .scoring import Scored, Scorer, facts_of, item_of, shown

#: Judge preset → the rule that looks at the same aspect; the panel shows how far the two are apart.
SAME_ASPECT = {"helpfulness": "helpfulness", "refusal": "behaviour", "citation": "citation"}


def responder(settings: Mapping[str, Any]) -> Scorer:
    """Rule and judge rewards of the responder.

    A judge is not asked about a text whose reward a gate has closed already.

    Args:
        settings: `reward` (a RewardConfig as a mapping), `judges` (a JudgesConfig), `endpoint` (an EndpointConfig) and
            `max_response_tokens`.

    Raises:
        UserError: A setting that cannot work, or a key that is not in the environment.
    """
    from omegaconf import OmegaConf

    from reward.config import RewardConfig, Truncated
    from reward.judges.components import components, compose_judged
    from reward.judges.config import JudgesConfig
    from reward.judges.hardening import Hardening
    from reward.judges.judge import judge
    from reward.judges.presets import chosen
    from reward.judges.types import Opinion, Why, unscored
    from reward.responder import score_response, status_of
    from rl_align.endpoints.client import Endpoint
    from rl_align.endpoints.config import EndpointConfig
    from rl_align.policy.catalogue import Catalogue
    from rl_align.transcript.responder import parse_response

    def read(cls: type, values: Mapping[str, Any]) -> Any:
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cls), values))

    config, judges = read(RewardConfig, settings["reward"]), read(JudgesConfig, settings["judges"])
    endpoint = Endpoint(read(EndpointConfig, settings["endpoint"]), "judge_endpoint")
    asked = {name: (preset, cfg, Hardening.of(cfg)) for name, (preset, cfg) in chosen(judges).items()}
    limit, catalogue = settings["max_response_tokens"], Catalogue.load()

    async def opinions(item: Item, response: Response) -> dict[str, Opinion]:
        found = await asyncio.gather(
            *(judge(p, item, response, endpoint, cfg, catalogue=catalogue, hardening=h) for p, cfg, h in asked.values())
        )
        return dict(zip(asked, found, strict=True))

    async def score(row: Mapping[str, Any], text: str, tokens: int, truncated: bool) -> Scored:
        item = item_of(row)
        response = parse_response(text, catalogue)
        rules = score_response(
            item, response, tokens=tokens, max_tokens=limit, truncated=truncated, cfg=config, catalogue=catalogue
        )
        if rules.gate:
            said = dict.fromkeys(asked, unscored(Why.NOT_APPLICABLE, f"gate {rules.gate} is closed"))
        else:
            said = await opinions(shown(row), response)
        closed = truncated and config.truncated is Truncated.zero
        breakdown = compose_judged(rules.components, components(said, judges), config, judges, closed)
        facts = facts_of(item, response) | {"judge_gaps": _gaps(rules, said), "judges": {n: _told(o) for n, o in said.items()}}
        return Scored(breakdown.reward, breakdown.scores(), status_of(response, breakdown, truncated), breakdown.gate, facts)

    return score


def _gaps(rules: RewardBreakdown, said: Mapping[str, Score]) -> dict[str, float]:
    """Preset → the judge's score minus the rule's, where both have one."""
    known = rules.scores()
    pairs = {name: (opinion, known.get(SAME_ASPECT.get(name, ""))) for name, opinion in said.items()}
    return {n: opinion.score - rule for n, (opinion, rule) in pairs.items() if isinstance(opinion, Verdict) and rule is not None}


def _told(opinion: Any) -> dict[str, Any]:
    """What the record keeps of an opinion."""
    usage = opinion.usage
    return {
        "score": getattr(opinion, "score", None),
        "label": getattr(opinion, "label", None),
        "reason": opinion.reason,
        "asked": usage.votes,
        "cached": usage.cached,
        "latency_s": usage.latency_s,
        "cost": usage.cost,
    }
