"""Rule and judge rewards together, inside the agent loop: the rules first, then the judges, all siblings side by side."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rl_align.schema import Item, Response, RewardBreakdown, Score, Verdict

from .scoring import Scored, Scorer, facts_of, shown

if TYPE_CHECKING:
    from reward.judges.config import HeldoutConfig, JudgeConfig
    from reward.judges.types import Opinion
    from rl_align.endpoints.config import EndpointConfig
    from rl_align.policy.catalogue import Catalogue

#: Judge preset → the rule that looks at the same aspect; the panel shows how far the two are apart.
SAME_ASPECT = {"helpfulness": "helpfulness", "refusal": "behaviour", "citation": "citation"}
#: Ends the name of a judge that is not trained against.
HELDOUT = "_heldout"


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
    from reward.judges.types import Why, unscored
    from reward.responder import score_response, status_of
    from rl_align.endpoints.config import EndpointConfig
    from rl_align.policy.catalogue import Catalogue
    from rl_align.transcript.responder import parse_response

    def read(cls: type, values: Mapping[str, Any]) -> Any:
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cls), values))

    config, judges = read(RewardConfig, settings["reward"]), read(JudgesConfig, settings["judges"])
    limit, catalogue = settings["max_response_tokens"], Catalogue.load()
    asked = _Asked(judges.judges, read(EndpointConfig, settings["endpoint"]), "judge_endpoint", catalogue)
    heldout = _Heldout(judges.heldout, catalogue)

    async def score(row: Mapping[str, Any], text: str, tokens: int, truncated: bool) -> Scored:
        item = shown(row)
        response = parse_response(text, catalogue, prompt=item.prompt)
        rules = score_response(
            item, response, tokens=tokens, max_tokens=limit, truncated=truncated, cfg=config, catalogue=catalogue
        )
        second: Mapping[str, Opinion] = {}
        if rules.gate:
            said = dict.fromkeys(judges.judges, unscored(Why.NOT_APPLICABLE, f"gate {rules.gate} is closed"))
        else:
            said, second = await asyncio.gather(asked.opinions(item, response), heldout.opinions(row, item, response))
        closed = truncated and config.truncated is Truncated.zero
        breakdown = compose_judged(rules.components, components(said, judges), config, judges, closed)
        told = said | {f"{name}{HELDOUT}": opinion for name, opinion in second.items()}
        gaps = _gaps(rules, said) | _between(said, second)
        facts = facts_of(item, response) | {"judge_gaps": gaps, "judges": {n: _told(o) for n, o in told.items()}}
        return Scored(breakdown.reward, breakdown.scores(), status_of(response, breakdown, truncated), breakdown.gate, facts)

    return score


class _Asked:
    """Judges behind one endpoint, asked side by side."""

    def __init__(self, judges: Mapping[str, JudgeConfig], endpoint: EndpointConfig, where: str, catalogue: Catalogue):
        from reward.judges.hardening import Hardening
        from reward.judges.presets import preset
        from rl_align.endpoints.client import Endpoint

        self._asked = {name: (preset(name), cfg, Hardening.of(cfg)) for name, cfg in judges.items()}
        self._endpoint, self._catalogue = Endpoint(endpoint, where), catalogue

    async def opinions(self, item: Item, response: Response) -> dict[str, Opinion]:
        from reward.judges.judge import judge

        asked = (
            judge(question, item, response, self._endpoint, cfg, catalogue=self._catalogue, hardening=hardening)
            for question, cfg, hardening in self._asked.values()
        )
        return dict(zip(self._asked, await asyncio.gather(*asked), strict=True))


class _Heldout:
    """Judges that never pay, asked about a sample."""

    def __init__(self, cfg: HeldoutConfig, catalogue: Catalogue):
        self._cfg = cfg
        where = "judges.heldout.endpoint"
        self._asked = _Asked(cfg.judges, cfg.endpoint, where, catalogue) if cfg.judges else None

    async def opinions(self, row: Mapping[str, Any], item: Item, response: Response) -> dict[str, Opinion]:
        """Nothing for a text that is not in the sample; which ones are follows from step, item and text alone."""
        step = int(row.get("global_steps", 0))
        if self._asked is None or step % self._cfg.every:
            return {}
        drawn = hashlib.sha256(f"{step}/{item.id}/{response.raw}".encode("utf-8", "surrogatepass")).digest()[:4]
        if int.from_bytes(drawn, "big") >= self._cfg.share * 2**32:
            return {}
        return await self._asked.opinions(item, response)


def _gaps(rules: RewardBreakdown, said: Mapping[str, Score]) -> dict[str, float]:
    """Preset → the judge's score minus the rule's, where both have one."""
    known = rules.scores()
    pairs = {name: (opinion, known.get(SAME_ASPECT.get(name, ""))) for name, opinion in said.items()}
    return {n: opinion.score - rule for n, (opinion, rule) in pairs.items() if isinstance(opinion, Verdict) and rule is not None}


def _between(paying: Mapping[str, Score], second: Mapping[str, Score]) -> dict[str, float]:
    """Preset → the paying judge's score minus that of the one that is not trained against, where both have one."""
    pairs = {name: (paying[name], opinion) for name, opinion in second.items()}
    return {
        f"{name}{HELDOUT}": mine.score - other.score
        for name, (mine, other) in pairs.items()
        if isinstance(mine, Verdict) and isinstance(other, Verdict)
    }


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
