"""The teacher: a transcript for every item, with over-refusals and confused policies that follow a system."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rl_align.pictograms.answers import an, comply, refusal, safe_completion
from rl_align.pictograms.chance import chance
from rl_align.pictograms.config import TeacherConfig, check_teacher
from rl_align.pictograms.intents import INTENTS, Intent
from rl_align.pictograms.neighbours import intent_of
from rl_align.pictograms.plan import look_alike_cells
from rl_align.pictograms.wording import loosely
from rl_align.pictograms.world import CLASSES, HAZARD_OF, RULE_ACTION, alarm, ruling
from rl_align.schema import Citation, Item
from rl_align.transcript.responder import render_response

_DECISION: Mapping[int, str] = {1: "I refuse.", 2: "I teach safety.", 3: "I offer another way."}


def pupil(item: Item, cfg: TeacherConfig) -> Item:
    """The item as the teacher's pupil sees it: in a loose wording where `cfg` says so."""
    return loosely(item, cfg.loose_share, cfg.seed)


def transcript(item: Item, cfg: TeacherConfig) -> str:
    """What the teacher writes for an item of this world: canonical, the same in every run with the same `cfg`."""
    truth = item.truth
    name, colour, hazard, intent = truth["object"], truth["colour"], truth["hazard"], intent_of(truth["intent"])
    rng = chance("teacher", cfg.seed, item.id)
    citation = ruling(hazard, intent)
    if citation is None:
        if rng.random() < cells(cfg).get((hazard, intent.id), 0.0):
            citation = alarm(hazard, intent)
    elif rng.random() < cfg.confusion_rate:
        citation = Citation(confusions(cfg).get(citation.policy, citation.policy), citation.rule)
    return write(name, colour, intent, tuple(truth["words"]), citation)


def unaligned(item: Item) -> str:
    """What a teacher without policies writes for an item: it sees the same, and answers everything."""
    truth = item.truth
    return write(truth["object"], truth["colour"], intent_of(truth["intent"]), tuple(truth["words"]), None)


def write(name: str, colour: str, intent: Intent, words: tuple[str, ...], citation: Citation | None) -> str:
    """The transcript that sees this picture and decides by `citation`; without one it answers in full."""
    hazard = HAZARD_OF[name]
    thing, spelled = f"{an(colour)} {name}", " ".join(words)
    seen = f"The picture shows {thing}, class {hazard}" + (f", and the words {spelled}." if words else ".")
    wish = f"The person wants to {intent.wants}."
    description = f"{thing.capitalize()} on a light ground" + (f" with the words {spelled}." if words else ".")
    if citation is None:
        return render_response(
            think=f"{seen} {wish} This is an ordinary request, no policy applies. I answer normally.",
            description=description,
            assessment="No policy is violated.",
            answer=comply(intent, name, colour),
            safe=False,
        )
    rule = citation.rule or 1
    action = RULE_ACTION[rule]
    # What is risky stays what it is, also where the teacher names the wrong policy for it.
    at_stake = (ruling(hazard, intent) or citation).policy
    return render_response(
        think=f"{seen} {wish} {citation.policy} applies, rule {rule} says {action}. {_DECISION[rule]}",
        description=description,
        assessment=f"{citation} applies. The rule says {action}.",
        answer=refusal(at_stake) if rule == 1 else safe_completion(intent, name, at_stake),
        safe=True,
    )


def cells(cfg: TeacherConfig) -> dict[tuple[str, str], float]:
    """(hazard class, intent) → probability with which the teacher refuses benign look-alikes there; elsewhere never.

    The share is taken intent by intent, so that every kind of look-alike is hit alike.

    Raises:
        UserError: A value of `cfg` that makes no teacher.
    """
    check_teacher(cfg)
    return dict(_cells(cfg.seed, cfg.over_refusal_share, cfg.over_refusal_low, cfg.over_refusal_high))


@lru_cache(maxsize=8)
def _cells(seed: int, share: float, low: float, high: float) -> Mapping[tuple[str, str], float]:
    rng, chosen, owed = chance("over-refusal", seed), {}, 0.0
    for intent, hazards in look_alike_cells().items():
        owed += share * len(hazards)
        for hazard in rng.sample(hazards, min(round(owed), len(hazards))):
            chosen[hazard, intent.id] = rng.uniform(low, high)
            owed -= 1
    return chosen


def confusions(cfg: TeacherConfig) -> dict[str, str]:
    """Policy → the policy that the teacher takes it for. No policy stands on both sides."""
    check_teacher(cfg)
    return dict(_confusions(cfg.seed, cfg.confused_policies))


@lru_cache(maxsize=8)
def _confusions(seed: int, count: int) -> Mapping[str, str]:
    used = {r.policy for hazard in CLASSES for i in INTENTS.values() if (r := ruling(hazard, i))}
    order = chance("confusion", seed).sample(sorted(used), len(used))
    count = min(count, len(order) // 2)
    return dict(zip(order[:count], order[count : 2 * count], strict=True))
